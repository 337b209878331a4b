package prober

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"syscall"
)

// errorType returns the value of error.type for an error that carries no
// [Failure]: a word for what an operator tells apart, and "_OTHER" for the rest.
func errorType(err error) string {
	var (
		lookup      *net.DNSError
		certificate *tls.CertificateVerificationError
		unknown     x509.UnknownAuthorityError
		hostname    x509.HostnameError
		invalid     x509.CertificateInvalidError
		alert       tls.AlertError
		record      tls.RecordHeaderError
		network     net.Error
	)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.As(err, &certificate), errors.As(err, &unknown), errors.As(err, &hostname), errors.As(err, &invalid):
		return "certificate"
	case errors.As(err, &alert), errors.As(err, &record):
		return "tls"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection_refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection_closed"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "unreachable"
	case errors.As(err, &lookup):
		return "resolve"
	case errors.As(err, &network) && network.Timeout():
		return "timeout"
	}
	return "_OTHER"
}

// typeMismatch is the error.type where an expression did not match what it
// should, or matched what it should not.
const typeMismatch = "mismatch"

func asFailure(err error, into **Failure) bool { return errors.As(err, into) }
