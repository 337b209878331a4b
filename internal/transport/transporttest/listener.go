package transporttest

import (
	"net"
	"testing"
)

// Listen accepts connections until the test ends, and returns its address. The
// connections are handled one after another and closed after that; a nil handle
// does nothing with them.
func Listen(t testing.TB, network, address string, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if handle != nil {
				handle(conn)
			}
			_ = conn.Close() // a test sees it by what the client reads
		}
	}()
	t.Cleanup(func() {
		_ = l.Close() // closed once only
		<-done
	})
	return l.Addr().String()
}
