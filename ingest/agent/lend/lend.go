// Package lend lets a component register metrics that it takes back when it
// ends, so that a collector can start its components again in one process.
package lend

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Registerer registers what can be taken back at once. It is safe for concurrent
// use.
type Registerer struct {
	prometheus.Registerer
	mu   sync.Mutex
	made []prometheus.Collector
}

// To returns a registerer that registers with reg.
func To(reg prometheus.Registerer) *Registerer { return &Registerer{Registerer: reg} }

// Register implements prometheus.Registerer.
func (r *Registerer) Register(c prometheus.Collector) error {
	if err := r.Registerer.Register(c); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made = append(r.made, c)
	return nil
}

// MustRegister implements prometheus.Registerer.
func (r *Registerer) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		if err := r.Register(c); err != nil {
			panic(err)
		}
	}
}

// TakeBack unregisters everything that was registered.
func (r *Registerer) TakeBack() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.made {
		r.Unregister(c)
	}
	r.made = nil
}
