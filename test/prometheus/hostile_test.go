package prometheus

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/prompb"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// mostMemory is what a process of goshawk may take at any time in this test, in
// MiB. Under the race detector everything takes several times more.
const mostMemory = 4 << 10

// hostile asks what is meant to break a server, and sends it.
func (b *bench) hostile(t *testing.T) {
	pid := b.goshawk.Pid("up")
	at := dataStart.Add(dataLength)
	instant := func(query string) call {
		return call{name: short(query)[:min(len(query), 60)], method: http.MethodPost, path: "/api/v1/query", form: url.Values{"query": {query}, "time": {seconds(at)}}}
	}
	ranged := func(query, start, end, step string) call {
		c := instant(query)
		c.path, c.form = "/api/v1/query_range", url.Values{"query": {query}, "start": {start}, "end": {end}, "step": {step}}
		return c
	}
	calls := []call{
		// Everything there is.
		instant(`{__name__!=""}`), instant(`{__name__!=""}[5h]`), instant(`count({__name__=~".+"})`), instant(`count by (__name__) ({__name__=~".*.*.*.*.*.+"})`),
		ranged(`{__name__!=""}`, seconds(dataStart), seconds(at), "60"), ranged(`sum({__name__=~".+"})`, seconds(dataStart), seconds(at), "5"),
		// Expressions that are slow where they are matched by trying.
		instant(`up{instance=~"(a+)+b"}`), instant(`up{instance=~"((1|10)*.*)*(.*)*(.*)*(.*)*(.*)*x"}`), instant(`{__name__=~"(x+x+)+y|(.*)*z"}`),
		instant(`up{instance=~"((a{0,100}){0,100}){0,100}"}`), instant(`up{instance=~"` + strings.Repeat("(a|b)*", 5000) + `"}`), instant(`up{job!~"(.?){500}"}`),
		// Times.
		ranged("up", "0", "4102444800", "86400"), ranged("up", "0", "4102444800", "864000000"), ranged("up", seconds(dataStart), seconds(at), "-15"),
		ranged("up", "1709242200", "1709253201", "1"), ranged("up", "1709242200", "1709253200", "1"), ranged("up", "-9e15", "9e15", "9e14"),
		instant("up[100y]"), instant("count_over_time(up[292y])"), instant("up offset 100y"), instant("up offset -100y"), instant("up @ -9000000000"), instant("up @ 9000000000"),
		instant("max_over_time(up[1h:1ms])"), instant("count_over_time((up[100y:100d]))"), instant(`sum_over_time(sum_over_time(sum_over_time(vector(1)[1h:1s])[1h:1m])[1h:1h])`),
		// Sizes.
		instant(`up{job="` + strings.Repeat("x", 9<<20) + `"}`), instant(`up{job="` + strings.Repeat("x", 11<<20) + `"}`), instant(`up{job=~"` + strings.Repeat("x|", 1<<20) + `"}`),
		instant(strings.Repeat("(", 5000) + "up" + strings.Repeat(")", 5000)), instant(strings.Repeat("-", 5000) + "up"), instant("up" + strings.Repeat(" + up", 1000)),
		instant(strings.Repeat("abs(", 5000) + "up" + strings.Repeat(")", 5000)),
	}
	for _, c := range calls {
		got, want := b.call(t, b.url, c), b.call(t, b.reference, c)
		if text := (comparison{tolerance: 1e-9, wording: true}).differ(got, want); text != "" {
			t.Errorf("%s: the reference differs: %s\ngoshawk:   %s\nreference: %s", c.name, short(text), short(got.text), short(want.text))
		}
	}
	t.Run("writing", b.hostileWrites)
	if b.goshawk.Pid("up") != pid {
		t.Error("goshawk was started again")
	}
	for name, mib := range memoryOf(t, pid) {
		t.Logf("%s had at most %d MiB", name, mib)
		if mib > mostMemory {
			t.Errorf("%s had %d MiB, more than %d", name, mib, mostMemory)
		}
	}
	if a := b.call(t, b.url, instant("up")); a.code != http.StatusOK {
		t.Errorf("goshawk answers %s", a.text)
	}
}

// hostileWrites sends requests that are broken in different ways.
func (b *bench) hostileWrites(t *testing.T) {
	at := time.Now().UnixMilli()
	series := func(pairs ...string) []byte {
		request := prompb.WriteRequest{Timeseries: []prompb.TimeSeries{{Samples: []prompb.Sample{{Value: 7, Timestamp: at}}}}}
		for i := 0; i < len(pairs); i += 2 {
			request.Timeseries[0].Labels = append(request.Timeseries[0].Labels, prompb.Label{Name: pairs[i], Value: pairs[i+1]})
		}
		body, err := request.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	claims := func(n uint64) []byte {
		return append(binary.AppendUvarint(nil, n), bytes.Repeat([]byte{0xfe, 1, 0}, 1000)...)
	}
	whole := series("__name__", "hostile")
	zeros := snappy.Encode(nil, make([]byte, 512<<20))
	// Labels that are wrong are refused aloud; Prometheus only counts them.
	for _, w := range []struct {
		name string
		body []byte
		// code is what goshawk answers; 0 for what the reference does.
		code int
	}{
		{"nothing", nil, 0},
		{"not snappy", []byte("this is not snappy at all"), 0},
		{"cut", snappy.Encode(nil, whole)[:10], 0},
		{"a length of 4 GiB", claims(math.MaxUint32), http.StatusBadRequest},
		{"a length of 2^64-1", claims(math.MaxUint64), 0},
		{"a bomb", zeros, http.StatusRequestEntityTooLarge},
		{"no protobuf", snappy.Encode(nil, []byte{0xff, 0xff, 0xff, 0xff}), 0},
		{"a length beyond the end", snappy.Encode(nil, []byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f}), 0},
		{"no name", snappy.Encode(nil, series("job", "x")), http.StatusBadRequest},
		{"an empty name of a label", snappy.Encode(nil, series("__name__", "hostile", "", "x")), http.StatusBadRequest},
		{"a label twice", snappy.Encode(nil, series("__name__", "hostile", "a", "x", "a", "y")), http.StatusBadRequest},
		{"text that is not UTF-8", snappy.Encode(nil, series("__name__", "hostile", "a", "\xff")), http.StatusBadRequest},
		{"unsorted labels", snappy.Encode(nil, series("z", "1", "__name__", "hostile_unsorted", "a", "2")), 0},
		{"whole", snappy.Encode(nil, whole), 0},
	} {
		code, text := post(t, "http://"+b.goshawk.HTTP+"/api/v1/write", w.body)
		want, wantText := w.code, ""
		if want == 0 {
			want, wantText = post(t, b.reference+"/api/v1/write", w.body)
		}
		if code != want {
			t.Errorf("%s: goshawk answers %d %s, want %d %s", w.name, code, text, want, wantText)
		}
	}
	// Labels in any order make the same series.
	q := call{method: http.MethodGet, path: "/api/v1/query", form: url.Values{"query": {"hostile_unsorted"}, "time": {seconds(time.Now().Add(2 * time.Second))}}}
	if err := cluster.Eventually(30*time.Second, func() error {
		a := b.call(t, b.url, q)
		if !strings.Contains(a.text, `{"__name__":"hostile_unsorted","a":"2","z":"1"}`) {
			return fmt.Errorf("goshawk answers %s", a.text)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// memoryOf returns the greatest resident sets of a process and its children by
// name and id, in MiB.
func memoryOf(t *testing.T, pid int) map[string]int {
	t.Helper()
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		more, err := os.ReadFile(task)
		if err == nil { // a thread may have ended
			children = append(append(children, ' '), more...)
		}
	}
	all := map[string]int{}
	for _, id := range append(strings.Fields(string(children)), strconv.Itoa(pid)) {
		text, err := os.ReadFile("/proc/" + id + "/status")
		if err != nil {
			t.Fatal(err)
		}
		command, err := os.ReadFile("/proc/" + id + "/cmdline")
		if err != nil {
			t.Fatal(err)
		}
		words := strings.Split(string(command), "\x00")
		_, peak, found := strings.Cut(string(text), "VmHWM:")
		if !found || len(words) < 2 {
			t.Fatalf("the status of process %s is %s", id, text)
		}
		kib, err := strconv.Atoi(strings.Fields(peak)[0])
		if err != nil {
			t.Fatal(err)
		}
		all[words[1]] = kib / 1024
	}
	return all
}
