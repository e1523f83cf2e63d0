// Go's jlaffaye/ftp over TLS: host, port, user, password, certificate, file to bring, file to fetch to.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/jlaffaye/ftp"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	host, port, user, password, certificate, up, down :=
		os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5], os.Args[6], os.Args[7]
	pem, err := os.ReadFile(certificate)
	must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	// A cache of sessions: so that data connections resume that of the control connection.
	config := &tls.Config{RootCAs: roots, ServerName: host, ClientSessionCache: tls.NewLRUClientSessionCache(0)}
	client, err := ftp.Dial(host+":"+port, ftp.DialWithTimeout(20*time.Second), ftp.DialWithExplicitTLS(config))
	must(err)
	must(client.Login(user, password))
	must(client.MakeDir("in"))
	must(client.ChangeDir("in"))
	for _, name := range []string{"first", "second"} {
		file, err := os.Open(up)
		must(err)
		must(client.Stor(name, file))
	}
	entries, err := client.List(".")
	must(err)
	if len(entries) != 2 {
		must(fmt.Errorf("%d entries", len(entries)))
	}
	content, err := client.Retr("second")
	must(err)
	file, err := os.Create(down)
	must(err)
	_, err = io.Copy(file, content)
	must(err)
	must(content.Close())
	must(client.Rename("first", "third"))
	must(client.Delete("third"))
	must(client.Quit())
}
