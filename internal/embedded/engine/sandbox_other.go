//go:build !linux

package engine

import "errors"

var errNoSandbox = errors.New("only Linux has Landlock")

func sandboxable() bool { return false }

func confine(string) error { return errNoSandbox }
