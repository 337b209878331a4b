package cluster

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func dial(address string) func() error {
	return func() error {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			err = conn.Close()
		}
		return err
	}
}

func get(address string) func() error {
	client := &http.Client{Timeout: 5 * time.Second}
	return func() error {
		_, err := body(client.Get(address))
		return err
	}
}

// body reads an answer to its end; any but 200 is an error.
func body(response *http.Response, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s: %s", response.Request.URL.Path, response.Status, text)
	}
	return string(text), nil
}

// SQL runs a query through the query service and returns its answer, tab
// separated, without the last line end.
func (c *Cluster) SQL(query string) (string, error) {
	text, err := body((&http.Client{Timeout: time.Minute}).Post("http://"+c.Query+"/", "text/plain", strings.NewReader(query)))
	return strings.TrimRight(text, "\n"), err
}

// Count runs a query that answers one number.
func (c *Cluster) Count(query string) (int64, error) {
	text, err := c.SQL(query)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}

// WaitRow waits until a query that counts rows finds one.
func (c *Cluster) WaitRow(patience time.Duration, query string) error {
	return Eventually(patience, func() error {
		n, err := c.Count(query)
		if err == nil && n == 0 {
			err = fmt.Errorf("no row for %s", query)
		}
		return err
	})
}

// Admin runs a statement as the user that owns the tables, for tests that
// damage them on purpose.
func (c *Cluster) Admin(query string) (string, error) {
	password, err := os.ReadFile(filepath.Join(c.dir, "data", "clickhouse", "goshawk.password"))
	if err != nil {
		return "", err
	}
	address := "http://" + c.ClickHouseHTTP + "/?" + url.Values{
		"user": {"goshawk"}, "password": {strings.TrimSpace(string(password))}, "database": {"goshawk"}, "mutations_sync": {"2"},
	}.Encode()
	text, err := body(http.Post(address, "text/plain", strings.NewReader(query)))
	return strings.TrimRight(text, "\n"), err
}

// Metric returns the sum of the samples with a name that a process serves at an
// address, under /metrics.
func (c *Cluster) Metric(address, name string) (float64, error) {
	text, err := body((&http.Client{Timeout: 5 * time.Second}).Get("http://" + address + "/metrics"))
	if err != nil {
		return 0, err
	}
	sum, found := 0.0, false
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' ')+1:]), 64)
		if err != nil {
			return 0, fmt.Errorf("metric %s: %w", name, err)
		}
		sum, found = sum+value, true
	}
	if !found {
		return 0, fmt.Errorf("%s serves no metric %s", address, name)
	}
	return sum, nil
}
