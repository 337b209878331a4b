//go:build !linux

package supervise

import "syscall"

func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

func (p *Process) run(started chan<- error) {
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
