"""Does one thing with Python's ftplib over TLS: PORT USER PASSWORD TLSv1_2|TLSv1_3 fresh|reuse DEED ARGUMENTS…

"reuse" shows the session of the control connection on every data connection. A failure ends it with a traceback.
"""

import ftplib
import io
import ssl
import sys

port, user, password, version, variant, deed, *arguments = sys.argv[1:]


class Reusing(ftplib.FTP_TLS):
    resumed = 0

    def ntransfercmd(self, cmd, rest=None):
        data, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        if self._prot_p:
            data = self.context.wrap_socket(data, server_hostname=self.host, session=self.sock.session)
            assert data.session_reused, "a data connection did not resume"
            Reusing.resumed += 1
        return data, size


context = ssl._create_unverified_context()
context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
ftp = (Reusing if variant == "reuse" else ftplib.FTP_TLS)(context=context, timeout=60)
ftp.connect("127.0.0.1", int(port))
ftp.login(user, password)
ftp.prot_p()
if deed == "put":
    with open(arguments[0], "rb") as file:
        ftp.storbinary("STOR " + arguments[1], file)
elif deed == "get":
    with open(arguments[1], "wb") as file:
        ftp.retrbinary("RETR " + arguments[0], file.write)
elif deed == "many":
    for number in range(int(arguments[0])):
        # Active connections use TLS too.
        ftp.set_pasv(number % 3 != 0)
        content = b"%d" % number * number
        ftp.storbinary("STOR many", io.BytesIO(content))
        back = io.BytesIO()
        ftp.retrbinary("RETR many", back.write)
        assert back.getvalue() == content
    assert "many" in ftp.nlst()
    ftp.delete("many")
ftp.quit()
