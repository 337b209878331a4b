package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// clockTicks is the unit of CPU time in /proc, a constant of Linux's user ABI.
const clockTicks = 100

// usage is what a process and its descendants have used.
type usage struct {
	CPU float64 // seconds, user and system, of children that have ended too
	RSS int64   // bytes, summed
}

func (u usage) minus(v usage) usage { return usage{CPU: u.CPU - v.CPU, RSS: u.RSS} }

// usageOf reads the usage of a process tree.
func usageOf(pid int) (usage, error) {
	parents, err := parentsOf()
	if err != nil {
		return usage{}, err
	}
	var total usage
	for p := range parents {
		if !below(parents, p, pid) {
			continue
		}
		u, err := usageOfOne(p)
		if err != nil {
			continue // it has ended since
		}
		total.CPU += u.CPU
		total.RSS += u.RSS
	}
	return total, nil
}

func below(parents map[int]int, p, ancestor int) bool {
	for p > 1 {
		if p == ancestor {
			return true
		}
		p = parents[p]
	}
	return false
}

func parentsOf() (map[int]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	parents := make(map[int]int, len(stats))
	for _, path := range stats {
		fields, err := statFields(path)
		if err != nil {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		parents[pid] = int(fields[1])
	}
	return parents, nil
}

func usageOfOne(pid int) (usage, error) {
	fields, err := statFields(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, err
	}
	// utime, stime, cutime, cstime are fields 14 to 17, rss is field 24.
	ticks := fields[11] + fields[12] + fields[13] + fields[14]
	return usage{CPU: float64(ticks) / clockTicks, RSS: fields[21] * int64(os.Getpagesize())}, nil
}

// statFields returns the numbers of a stat line from field 3 on; the state,
// which is a letter, is 0.
func statFields(path string) ([]int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	// The name is in parentheses and may hold anything.
	_, rest, ok := strings.Cut(string(text[strings.LastIndexByte(string(text), ')'):]), " ")
	if !ok {
		return nil, fmt.Errorf("%s has an unknown form", path)
	}
	words := strings.Fields(rest)
	numbers := make([]int64, len(words))
	for i, w := range words {
		numbers[i], _ = strconv.ParseInt(w, 10, 64)
	}
	if len(numbers) < 22 {
		return nil, fmt.Errorf("%s has %d fields", path, len(numbers))
	}
	return numbers, nil
}

// peakRSS returns the largest resident set that a process has had, in bytes.
func peakRSS(pid int) int64 { return sizeIn(fmt.Sprintf("/proc/%d/status", pid), "VmHWM") }

// proportional returns the resident memory of a process in bytes, with its share of
// the pages that several processes have: the sum over them counts a page once.
func proportional(pid int) int64 { return sizeIn(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss") }

// sizeIn returns a size in bytes that a file of /proc has in KiB, 0 where it has none.
func sizeIn(path, key string) int64 {
	value, ok := field(path, key)
	if !ok {
		return 0
	}
	kib, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}
