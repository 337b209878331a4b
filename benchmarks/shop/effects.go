package shop

// effects are what the active incidents do to the shop, in the current tick.
type effects struct {
	operations []operationEffect // by operation
	delay      [6][6]int64       // between hosts, nanoseconds
	skew       [6]int64          // of clocks, nanoseconds
	disk       [6]float64        // share of the data disk that is filled
	traffic    float64           // factor
	load       float64           // factor on every duration
	attacks    []attack
	backends   int64 // connections to the payments database
}

type operationEffect struct {
	slow    float64 // factor
	fail    float64
	failure *failure
	stalled bool
}

// breaks makes an operation fail, with the largest chance that is asked for.
func (e *operationEffect) breaks(chance float64, f *failure) {
	if chance > e.fail {
		e.fail, e.failure = chance, f
	}
}

func (s *Shop) buildEffects() {
	s.effects.operations = make([]operationEffect, len(s.operations))
	s.resetEffects()
}

func (s *Shop) resetEffects() {
	operations := s.effects.operations
	for i := range operations {
		operations[i] = operationEffect{slow: 1}
	}
	s.effects = effects{operations: operations, attacks: s.effects.attacks[:0], traffic: 1, load: 1}
}

// applyIncidents sets the effects for the tick that begins now.
func (s *Shop) applyIncidents(now int64) {
	begun, ended := s.incidents.advance(now)
	if len(s.incidents.active) > 0 || len(ended) > 0 || s.incidents.acted {
		s.resetEffects()
	}
	for _, i := range ended {
		if f := scriptOf(i.Kind).end; f != nil {
			f(s, i)
		}
	}
	for _, i := range begun {
		if f := scriptOf(i.Kind).begin; f != nil {
			f(s, i)
		}
	}
	s.incidents.acted = len(s.incidents.active) > 0
	for _, i := range s.incidents.active {
		from, to := i.Start.UnixNano(), i.End.UnixNano()
		progress := float64(now-from) / float64(to-from)
		scriptOf(i.Kind).apply(s, i, min(max(progress, 0), 1))
	}
}

// Incidents returns the incidents that have begun so far, oldest first.
func (s *Shop) Incidents() []Incident {
	all := make([]Incident, len(s.incidents.past))
	for i, p := range s.incidents.past {
		all[i] = *p
	}
	return all
}
