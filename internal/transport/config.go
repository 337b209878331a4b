package transport

import "errors"

// ServerTLS names the PEM files of a port. They are read again when they
// change.
type ServerTLS struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// ClientCAFile, where set, makes every client present a certificate that
	// one of these authorities signed.
	ClientCAFile string `yaml:"client_ca_file"`
}

// Enabled reports whether the port speaks TLS.
func (c ServerTLS) Enabled() bool { return c.CertFile != "" }

// Validate says what is wrong with the values. It opens nothing.
func (c ServerTLS) Validate() error {
	if (c.CertFile == "") != (c.KeyFile == "") {
		return errBelongTogether
	}
	if c.ClientCAFile != "" && c.CertFile == "" {
		return errors.New("client_ca_file needs cert_file and key_file")
	}
	return nil
}

// ClientTLS says how connections to a server are encrypted.
type ClientTLS struct {
	Enabled bool `yaml:"enabled"`
	// CAFile has the certificates that sign the server's, PEM; the system's
	// where empty.
	CAFile string `yaml:"ca_file"`
	// CertFile and KeyFile are the client's own, where the server asks for one.
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// ServerName is the name in the server's certificate, where it is not the
	// host.
	ServerName string `yaml:"server_name"`
}

// Validate says what is wrong with the values. It opens nothing.
func (c ClientTLS) Validate() error {
	if (c.CertFile == "") != (c.KeyFile == "") {
		return errBelongTogether
	}
	if !c.Enabled && c != (ClientTLS{}) {
		return errors.New("has settings but is not enabled")
	}
	return nil
}

var errBelongTogether = errors.New("cert_file and key_file belong together; one of them is empty")
