package logql

import (
	"errors"
	"net/netip"
	"strings"
)

// IPRange is a range of addresses: one, a network, or from one to another.
type IPRange struct {
	// Text is the range as it was written.
	Text     string
	from, to netip.Addr
}

func parseIPRange(s string) (*IPRange, error) {
	r := &IPRange{Text: s}
	var err error
	if from, to, two := strings.Cut(s, "-"); two {
		if r.from, err = netip.ParseAddr(strings.TrimSpace(from)); err == nil {
			r.to, err = netip.ParseAddr(strings.TrimSpace(to))
		}
		if err == nil && (r.from.BitLen() != r.to.BitLen() || r.to.Less(r.from)) {
			err = errors.New("ends before it begins")
		}
	} else if strings.Contains(s, "/") {
		var network netip.Prefix
		if network, err = netip.ParsePrefix(s); err == nil {
			r.from, r.to = network.Masked().Addr(), last(network)
		}
	} else {
		r.from, err = netip.ParseAddr(s)
		r.to = r.from
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// last is the last address of a network.
func last(network netip.Prefix) netip.Addr {
	b := network.Masked().Addr().AsSlice()
	for i := network.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b) // as long as an address
	return a
}

// Contains reports whether an address is in the range.
func (r *IPRange) Contains(a netip.Addr) bool {
	a = a.WithZone("")
	return a.BitLen() == r.from.BitLen() && !a.Less(r.from) && !r.to.Less(a)
}

// In reports whether a line has an address of the range.
func (r *IPRange) In(line string) bool {
	v4 := r.from.Is4()
	for i := 0; i < len(line); {
		if !addressByte(line[i], v4) {
			i++
			continue
		}
		end := i
		for end < len(line) && addressByte(line[end], v4) {
			end++
		}
		if r.inWord(line[i:end]) {
			return true
		}
		i = end
	}
	return false
}

// maxAddress is the longest text of an address.
const maxAddress = 45

// inWord looks for an address in a run of its characters, which may have a full
// stop or a port behind it.
func (r *IPRange) inWord(run string) bool {
	run = strings.TrimRight(run, ".")
	if !strings.HasSuffix(run, "::") {
		run = strings.TrimRight(run, ":")
	}
	if !strings.HasPrefix(run, "::") {
		run = strings.TrimLeft(run, ":")
	}
	for _, part := range []string{run, before(run, ':')} {
		if len(part) < 2 || len(part) > maxAddress {
			continue
		}
		if a, err := netip.ParseAddr(part); err == nil && r.Contains(a) {
			return true
		}
	}
	return false
}

func before(s string, c byte) string {
	if i := strings.LastIndexByte(s, c); i >= 0 {
		return s[:i]
	}
	return ""
}

func addressByte(c byte, v4 bool) bool {
	if digit(c) || c == '.' {
		return true
	}
	return !v4 && (c == ':' || c|0x20 >= 'a' && c|0x20 <= 'f')
}
