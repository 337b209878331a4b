package journald

import (
	"bytes"
	"strconv"

	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

// entry is what becomes of an entry of the journal. Its memory is used again.
type entry struct {
	cursor, host, unit, identifier, command []byte
	body                                    []byte
	priority                                int
	time, received                          int64
	list, key                               []byte
	cut                                     bool
}

// names are attributes of OpenTelemetry for fields of the journal.
var names = map[string]struct {
	attribute string
	number    bool
}{
	"_PID":              {"process.pid", true},
	"_UID":              {"process.user.id", true},
	"_EXE":              {"process.executable.path", false},
	"_COMM":             {"process.executable.name", false},
	"_CMDLINE":          {"process.command_line", false},
	"CODE_FILE":         {"code.file.path", false},
	"CODE_LINE":         {"code.line.number", true},
	"CODE_FUNC":         {"code.function.name", false},
	"SYSLOG_IDENTIFIER": {"syslog.identifier", false},
	"SYSLOG_FACILITY":   {"syslog.facility", true},
	"_SYSTEMD_UNIT":     {"systemd.unit", false},
	"_TRANSPORT":        {"journald.transport", false},
}

// otherPrefix begins the attributes of fields that programs made up.
const otherPrefix = "journald."

// maxList bounds the attributes of an entry; fields beyond are left out, which
// the record is marked for.
const maxList = 64 << 10

const noPriority = 6 // info, as journald has it

func (e *entry) reset() {
	*e = entry{
		cursor: e.cursor[:0], host: e.host[:0], unit: e.unit[:0], identifier: e.identifier[:0], command: e.command[:0],
		body: e.body[:0], list: e.list[:0], key: e.key, priority: noPriority,
	}
}

// field takes a field of the entry.
func (e *entry) field(name, value []byte, cut bool) {
	e.cut = e.cut || cut
	switch string(name) {
	case "__CURSOR":
		e.cursor = append(e.cursor[:0], value...)
		return
	case "MESSAGE":
		e.body = append(e.body[:0], value...)
		return
	case "__REALTIME_TIMESTAMP":
		e.received = micros(value)
		return
	case "_SOURCE_REALTIME_TIMESTAMP":
		e.time = micros(value)
		return
	case "PRIORITY":
		if len(value) == 1 && value[0] >= '0' && value[0] <= '7' {
			e.priority = int(value[0] - '0')
		}
		return
	case "_HOSTNAME":
		e.host = append(e.host[:0], value...)
		return
	case "_SYSTEMD_UNIT":
		e.unit = append(e.unit[:0], value...)
	case "SYSLOG_IDENTIFIER":
		e.identifier = append(e.identifier[:0], value...)
	case "_COMM":
		e.command = append(e.command[:0], value...)
	}
	known, ok := names[string(name)]
	switch {
	case len(e.list)+len(name)+2*len(value) > maxList:
		e.cut = true
	case ok && known.number:
		if n, err := strconv.ParseInt(string(value), 10, 64); err == nil {
			e.list = logwriter.AppendInt(e.list, known.attribute, n)
		}
	case ok:
		e.list = logwriter.AppendText(e.list, known.attribute, value)
	case len(name) > 0 && name[0] != '_' && string(name) != "SYSLOG_TIMESTAMP" && string(name) != "SYSLOG_PID" && string(name) != "SYSLOG_RAW":
		e.key = append(append(e.key[:0], otherPrefix...), bytes.ToLower(name)...)
		e.list = logwriter.AppendText(e.list, e.key, value)
	}
}

// micros reads microseconds and returns nanoseconds, 0 where they are no number.
func micros(value []byte) int64 {
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || n < 0 || n > 1<<53 {
		return 0
	}
	return n * 1000
}

// service is the service.name: the unit without .service, or what stands for it.
func (e *entry) service() []byte {
	switch {
	case len(e.unit) > 0:
		return bytes.TrimSuffix(e.unit, []byte(".service"))
	case len(e.identifier) > 0:
		return e.identifier
	}
	return e.command
}
