package main

import (
	"bufio"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// machine says where a result was measured.
type machine struct {
	CPU      string  `json:"cpu"`
	Cores    int     `json:"cores"`
	MemoryGB float64 `json:"memory_gib"`
	Kernel   string  `json:"kernel"`
	Go       string  `json:"go"`
	Commit   string  `json:"commit"`
	// LoadBefore is the one-minute load average when the run began: a busy
	// machine makes wall-clock figures worthless and CPU figures worse.
	LoadBefore float64 `json:"load_before"`
	// PageNS is what it costs to touch a page of memory for the first time, in
	// nanoseconds: some hundred on metal, thousands on a virtual machine whose
	// host takes freed memory back. New files cost the same for each page.
	PageNS float64 `json:"page_ns"`
}

// pageNS touches new memory.
func pageNS() float64 {
	const size = 512 << 20
	memory, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return 0
	}
	defer func() { _ = syscall.Munmap(memory) }()
	began := time.Now()
	for i := 0; i < size; i += os.Getpagesize() {
		memory[i] = 1
	}
	return float64(time.Since(began).Nanoseconds()) / float64(size/os.Getpagesize())
}

func readMachine() machine {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version(), CPU: "unknown", PageNS: pageNS()}
	if value, ok := field("/proc/cpuinfo", "model name"); ok {
		m.CPU = value
	}
	if value, ok := field("/proc/meminfo", "MemTotal"); ok {
		kib, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
		if err == nil {
			m.MemoryGB = float64(int(kib/1024/1024*10)) / 10
		}
	}
	m.Kernel = output("uname", "-sr")
	m.Commit = output("git", "describe", "--always", "--dirty", "--tags")
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.LoadBefore, _ = strconv.ParseFloat(strings.Fields(string(text))[0], 64)
	}
	return m
}

// field returns the first value of a key in a "key : value" file.
func field(path, key string) (string, bool) {
	file, err := os.Open(path)
	if err != nil {
		return "", false
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), ":")
		if ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

func output(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
