# Ruby's Net::FTP over TLS: host, port, user, password, certificate, file to bring, file to fetch to.
require "net/ftp"

host, port, user, password, certificate, up, down = ARGV
options = { port: port.to_i, username: user, password: password, open_timeout: 20, read_timeout: 20,
            ssl: { ca_file: certificate, verify_hostname: true }, private_data_connection: true, passive: true }
Net::FTP.open(host, options) do |ftp|
  ftp.mkdir("in")
  ftp.chdir("in")
  ftp.putbinaryfile(up, "first")
  # A second connection for data: the ticket that opened the first must be good once more.
  ftp.putbinaryfile(up, "second")
  raise "sizes" unless ftp.size("second") == File.size(up)
  raise "names" unless ftp.nlst.sort == %w[first second]
  raise "listing" unless ftp.list.length == 2
  ftp.getbinaryfile("second", down)
  ftp.rename("first", "third")
  ftp.delete("third")
end
