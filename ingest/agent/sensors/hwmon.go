package sensors

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// channel is one kind of sensor in hwmon, whose files start with its prefix and
// a number: temp1_input.
type channel struct {
	prefix string
	// kind is hw.type.
	kind  string
	value *instrument
	limit *instrument
	// input are the endings of files with the value, the first that is there
	// counts.
	input []string
	scale float64
	// limits are endings of files with limits, and what the conventions call
	// them.
	limits map[string]string
}

var (
	temperature      = instrument{"hw.temperature", "Cel", "Temperature.", gauge}
	temperatureLimit = instrument{"hw.temperature.limit", "Cel", "Temperature limit.", gauge}
	voltage          = instrument{"hw.voltage", "V", "Voltage measured by the sensor.", gauge}
	voltageLimit     = instrument{"hw.voltage.limit", "V", "Voltage limit.", gauge}
	fanSpeed         = instrument{"hw.fan.speed", "rpm", "Fan speed in revolutions per minute.", gauge}
	fanSpeedLimit    = instrument{"hw.fan.speed.limit", "rpm", "Speed limit in revolutions per minute.", gauge}
	power            = instrument{"hw.power", "W", "Instantaneous power consumed by the component.", gauge}
	powerLimit       = instrument{"hw.power_supply.limit", "W", "Maximum power output of the power supply.", upDown}
	energy           = instrument{"hw.energy", "J", "Energy consumed by the component.", counter}
)

// Units of hwmon: millidegrees, millivolts, revolutions per minute, microwatts,
// microjoules.
var channels = []channel{
	{
		prefix: "temp", kind: "temperature", value: &temperature, limit: &temperatureLimit, input: []string{"input"}, scale: 1e-3,
		limits: map[string]string{
			"max": "high.degraded", "crit": "high.critical", "emergency": "max",
			"min": "low.degraded", "lcrit": "low.critical",
		},
	},
	{
		prefix: "in", kind: "voltage", value: &voltage, limit: &voltageLimit, input: []string{"input"}, scale: 1e-3,
		limits: map[string]string{
			"max": "high.degraded", "crit": "high.critical", "min": "low.degraded", "lcrit": "low.critical",
		},
	},
	{
		prefix: "fan", kind: "fan", value: &fanSpeed, limit: &fanSpeedLimit, input: []string{"input"}, scale: 1,
		limits: map[string]string{"max": "max", "min": "low.degraded"},
	},
	{
		prefix: "power", kind: "power_supply", value: &power, limit: &powerLimit, input: []string{"input", "average"}, scale: 1e-6,
		limits: map[string]string{"cap": "max", "max": "high.degraded", "crit": "high.critical"},
	},
	{prefix: "energy", kind: "power_supply", value: &energy, input: []string{"input"}, scale: 1e-6},
}

// channelFile is a file that makes a sensor: its value, or a fault.
var channelFile = regexp.MustCompile(`^(temp|in|fan|power|energy)([0-9]+)_(input|average)$`)

func (r *reading) hwmon() {
	const folder = "class/hwmon"
	for _, entry := range r.list(folder) {
		r.chip(path.Join(folder, entry), entry)
	}
}

// chip reads the sensors of one chip. The parent of its sensors is the chip's
// device, whose name outlives a restart; the number of hwmon does not.
func (r *reading) chip(folder, entry string) {
	name, ok := r.text(folder, "name")
	if !ok {
		name = entry
	}
	device := r.device(folder)
	if device == "" {
		device = entry
	}
	var found []string
	for _, file := range r.list(folder) {
		m := channelFile.FindStringSubmatch(file)
		if m != nil && !slices.Contains(found, m[1]+m[2]) {
			found = append(found, m[1]+m[2])
		}
	}
	for _, sensor := range found {
		i := slices.IndexFunc(channels, func(c channel) bool {
			return strings.TrimRight(sensor, "0123456789") == c.prefix
		})
		r.sensor(folder, sensor, &channels[i], name, device)
	}
}

// sensor reads one sensor: its value, its limits and its alarms.
func (r *reading) sensor(folder, sensor string, c *channel, chip, device string) {
	label, ok := r.text(folder, sensor+"_label")
	if !ok || label == "" {
		label = sensor
	}
	h := part{kind: c.kind, id: device + "/" + sensor, name: chip + " " + label, parent: device}
	fault, _ := r.number(1, folder, sensor+"_fault")
	alarm := 0.0
	for _, ending := range []string{"_alarm", "_max_alarm", "_min_alarm", "_crit_alarm"} {
		if v, ok := r.number(1, folder, sensor+ending); ok {
			alarm = max(alarm, v)
		}
	}
	switch {
	case fault != 0:
		r.states(h, "failed", "ok", "degraded", "failed")
		return // the value of a broken sensor says nothing
	case alarm != 0:
		r.states(h, "degraded", "ok", "degraded", "failed")
	default:
		r.states(h, "ok", "ok", "degraded", "failed")
	}
	for _, ending := range c.input {
		if value, ok := r.number(c.scale, folder, sensor+"_"+ending); ok {
			h.describe(r.add(c.value, value))
			break
		}
	}
	for ending, limit := range c.limits {
		if value, ok := r.number(c.scale, folder, sensor+"_"+ending); ok {
			m := r.add(c.limit, value)
			h.describe(m)
			m.PutStr("hw.limit_type", limit)
		}
	}
}
