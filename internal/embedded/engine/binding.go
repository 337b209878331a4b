package engine

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// library is the loaded engine. It is never unloaded: the engine keeps threads
// until the process ends.
type library struct {
	setSignalHandlers func(enabled int32)
	queryCommandLine  func(argc int32, argv unsafe.Pointer) uintptr
	resultError       func(result uintptr) string
	destroyResult     func(result uintptr)
	version           func() string
}

// load opens the shared library at path and looks up what this package calls.
func load(path string) (l *library, err error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, fmt.Errorf("loading the engine library %s: %w", path, err)
	}
	l = &library{}
	for _, symbol := range []struct {
		name string
		into any
	}{
		{"chdb_set_signal_handlers_enabled", &l.setSignalHandlers},
		{"chdb_query_cmdline", &l.queryCommandLine},
		{"chdb_result_error", &l.resultError},
		{"chdb_destroy_query_result", &l.destroyResult},
		{"chdb_version", &l.version},
	} {
		address, err := purego.Dlsym(handle, symbol.name)
		if err != nil {
			return nil, fmt.Errorf("the engine library %s is of another version: %w", path, err)
		}
		purego.RegisterFunc(symbol.into, address)
	}
	return l, nil
}

// run calls the engine's command line and returns when it has ended. It must
// be called once in the life of a process, in a goroutine of its own that ends
// after it. Confine, if not nil, is called on the thread that the engine begins
// with, before it does.
func (l *library) run(args []string, confine func() error) error {
	// Never unlocked: a confined thread must not run anything else.
	runtime.LockOSThread()
	if confine != nil {
		if err := confine(); err != nil {
			return err
		}
	}

	// The engine would replace the handlers of the Go runtime; a nil
	// dereference in Go would then hang the process.
	l.setSignalHandlers(0)

	texts := make([][]byte, len(args))
	argv := make([]*byte, len(args)+1)
	var pinner runtime.Pinner
	defer pinner.Unpin()
	for i, arg := range args {
		texts[i] = append([]byte(arg), 0)
		pinner.Pin(&texts[i][0])
		argv[i] = &texts[i][0]
	}
	pinner.Pin(&argv[0])

	result := l.queryCommandLine(int32(len(args)), unsafe.Pointer(&argv[0]))
	if result == 0 {
		return nil
	}
	defer l.destroyResult(result)
	if text := l.resultError(result); text != "" {
		return errors.New(text)
	}
	return nil
}
