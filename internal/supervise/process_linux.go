package supervise

import (
	"runtime"
	"syscall"
)

func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

// run starts the child and waits for it. The kernel ties the signal at the
// parent's death to the thread that started the child, not to the process, so
// this thread is kept for as long as the child lives.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	p.once.Do(func() { _ = p.alive.Close() })
	_ = p.ready.Close()
	close(p.done)
}
