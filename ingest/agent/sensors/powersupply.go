package sensors

import (
	"path"
	"strings"
)

var (
	batteryCharge   = instrument{"hw.battery.charge", "1", "Remaining fraction of battery charge.", gauge}
	batteryTimeLeft = instrument{"hw.battery.time_left", "s", "Time left before battery is completely charged or discharged.", gauge}
	supplyUsage     = instrument{"hw.power_supply.usage", "W", "Current power output of the power supply.", upDown}
)

// Units of power_supply: microvolts, microamperes, microwatts, tenths of a
// degree, percent, seconds.
func (r *reading) powerSupplies() {
	const folder = "class/power_supply"
	for _, entry := range r.list(folder) {
		kind, ok := r.text(folder, entry, "type")
		if !ok {
			continue
		}
		if strings.EqualFold(kind, "battery") {
			r.battery(path.Join(folder, entry), entry)
		} else {
			r.mains(path.Join(folder, entry), entry)
		}
	}
}

// battery reads a battery. Its state is degraded where the kernel says that it
// is in bad health.
func (r *reading) battery(folder, entry string) {
	h := part{kind: "battery", id: entry, name: r.model(folder), parent: r.device(folder)}
	state, _ := r.text(folder, "status")
	state = strings.ToLower(state)
	if charge, ok := r.number(0.01, folder, "capacity"); ok {
		h.describe(r.add(&batteryCharge, charge))
	}
	for file, holds := range map[string]string{"time_to_empty_now": "discharging", "time_to_full_now": "charging"} {
		if left, ok := r.number(1, folder, file); ok && state == holds {
			m := r.add(&batteryTimeLeft, left)
			h.describe(m)
			m.PutStr("hw.battery.state", holds)
		}
	}
	r.electric(folder, h, &power)
	if degrees, ok := r.number(0.1, folder, "temp"); ok {
		h.describe(r.add(&temperature, degrees))
	}
	health, known := r.text(folder, "health")
	holds := "ok"
	switch {
	case !known, strings.EqualFold(health, "good"), strings.EqualFold(health, "unknown"):
	case strings.EqualFold(health, "dead"), strings.EqualFold(health, "unspecified failure"):
		holds = "failed"
	default:
		holds = "degraded"
	}
	all := []string{"ok", "degraded", "failed"}
	r.states(h, holds, all...)
	r.states(h, state, "charging", "discharging")
}

// mains reads a supply that is no battery: ok while it is plugged in.
func (r *reading) mains(folder, entry string) {
	h := part{kind: "power_supply", id: entry, name: r.model(folder), parent: r.device(folder)}
	if online, ok := r.number(1, folder, "online"); ok {
		holds := "ok"
		if online == 0 {
			holds = "failed"
		}
		r.states(h, holds, "ok", "degraded", "failed")
	}
	r.electric(folder, h, &supplyUsage)
}

// electric reads voltage and power. Where the kernel knows only the current,
// power is its product with the voltage.
func (r *reading) electric(folder string, h part, into *instrument) {
	volts, haveVolts := r.number(1e-6, folder, "voltage_now")
	if haveVolts {
		h.describe(r.add(&voltage, volts))
	}
	watts, ok := r.number(1e-6, folder, "power_now")
	if !ok {
		amperes, haveAmperes := r.number(1e-6, folder, "current_now")
		watts, ok = amperes*volts, haveAmperes && haveVolts
	}
	if ok {
		h.describe(r.add(into, max(watts, -watts)))
	}
}

// model is how the maker calls a supply.
func (r *reading) model(folder string) string {
	maker, _ := r.text(folder, "manufacturer")
	model, _ := r.text(folder, "model_name")
	return strings.TrimSpace(maker + " " + model)
}
