package sensors

import (
	"io/fs"
	"path"
	"strings"
)

var (
	networkUp    = instrument{"hw.network.up", "1", "Link status: 1 (up) or 0 (down).", upDown}
	networkLimit = instrument{"hw.network.bandwidth.limit", "By/s", "Link speed.", upDown}
	networkIO    = instrument{"hw.network.io", "By", "Received and transmitted network traffic in bytes.", counter}
	networkPkts  = instrument{"hw.network.packets", "{packet}", "Received and transmitted network traffic in packets.", counter}
	hwErrors     = instrument{"hw.errors", "{error}", "Number of errors encountered by the component.", counter}
)

// linkErrors are the counters of errors and what error.type calls them. A
// counter that others add up to is left out, or errors were counted twice.
var linkErrors = []struct{ file, kind, direction string }{
	{"rx_errors", "errors", "receive"},
	{"rx_dropped", "dropped", "receive"},
	{"rx_missed_errors", "missed", "receive"},
	{"tx_errors", "errors", "transmit"},
	{"tx_dropped", "dropped", "transmit"},
	{"collisions", "collisions", "transmit"},
}

// network reads the links of all interfaces but the loopback.
func (r *reading) network(excludeVirtual bool) {
	const folder = "class/net"
	for _, entry := range r.list(folder) {
		dir := path.Join(folder, entry)
		if info, err := fs.Stat(r.sys, dir); entry == "lo" || err != nil || !info.IsDir() {
			continue // the loopback, or a file such as bonding_masters
		}
		if excludeVirtual && r.virtual(dir) {
			continue
		}
		r.link(dir, entry)
	}
}

// virtual reports whether no device is behind an interface: a bridge, one end
// of a container's pair, a tunnel.
func (r *reading) virtual(folder string) bool {
	_, err := fs.Lstat(r.sys, path.Join(folder, "device"))
	return err != nil
}

func (r *reading) link(folder, entry string) {
	h := part{kind: "network", id: entry, name: entry, parent: r.device(folder)}
	// The kernel refuses to read carrier and speed of an interface that is
	// turned off; that is no fault of a sensor.
	operating, _ := r.text(folder, "operstate")
	up, known := 0.0, operating != "" && operating != "unknown"
	if operating == "up" {
		up = 1
	}
	if operating != "down" {
		if carrier, ok := r.number(1, folder, "carrier"); ok {
			up, known = carrier, true
		}
	}
	if known {
		h.describe(r.add(&networkUp, up))
	}
	if up == 1 {
		// A speed of -1 is not known; a virtual device has none to read.
		if text, err := fs.ReadFile(r.sys, path.Join(folder, "speed")); err == nil {
			if megabits, ok := parseSpeed(string(text)); ok {
				h.describe(r.add(&networkLimit, megabits*1e6/8))
			}
		}
	}
	for _, c := range []struct {
		file, direction string
		into            *instrument
	}{
		{"rx_bytes", "receive", &networkIO},
		{"tx_bytes", "transmit", &networkIO},
		{"rx_packets", "receive", &networkPkts},
		{"tx_packets", "transmit", &networkPkts},
	} {
		if n, ok := r.number(1, folder, "statistics", c.file); ok {
			m := r.add(c.into, n)
			h.describe(m)
			m.PutStr("network.io.direction", c.direction)
		}
	}
	for _, c := range linkErrors {
		if n, ok := r.number(1, folder, "statistics", c.file); ok {
			m := r.add(&hwErrors, n)
			h.describe(m)
			m.PutStr("error.type", c.kind)
			m.PutStr("network.io.direction", c.direction)
		}
	}
}

// parseSpeed reads a link's speed in megabits a second.
func parseSpeed(text string) (float64, bool) {
	var n float64
	text = strings.TrimSpace(text)
	if text == "" || len(text) > 9 {
		return 0, false
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + float64(c-'0')
	}
	return n, n > 0
}
