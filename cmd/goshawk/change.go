package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goshawk-observability/goshawk/ingest/changes"
	"github.com/goshawk-observability/goshawk/internal/config"
)

// changeFlags are what is to be reported, and to whom.
type changeFlags struct {
	fields     map[string]*string
	attributes map[string]string
	url        string
	token      config.Secret
	timeout    time.Duration
}

func newChange() *cobra.Command {
	c := &cobra.Command{
		Use:   "change --kind KIND",
		Short: "Report a deployment or another change to the gateway",
		Long: `Reports a change, such as a deployment, to a running gateway, from a script or a pipeline. While the gateway is away
or busy it tries again until --timeout. It prints the id of the change: with it the same change can be reported again when
it has succeeded or failed. See docs/changes.md.`,
		Example: `  goshawk change --kind deployment --service cart --version 1.4.2 --environment prod
  id=$(goshawk change --kind deployment --service cart --version 1.4.2 --status started)
  goshawk change --kind deployment --service cart --version 1.4.2 --status failed --id "$id"`,
		Args: cobra.NoArgs,
	}
	f := changeFlags{fields: map[string]*string{}}
	flags := c.Flags()
	for _, field := range []struct{ name, usage string }{
		{"kind", "deployment, configuration, scaling, restart, rollback, feature_flag or another `word`"},
		{"status", "started, succeeded or failed (default succeeded)"},
		{"service", "`name` of the service that was changed"},
		{"version", "what it is now"},
		{"host", "`name` of the host that was changed"},
		{"environment", "`name` of the deployment environment"},
		{"author", "who did it"},
		{"title", "what was done, in a few words"},
		{"link", "`URL` where more is to be read"},
		{"time", "when it was done, RFC 3339 (default now)"},
		{"id", "the same for reports of the same change (default a new one)"},
		{"source", "what reports"},
	} {
		f.fields[field.name] = flags.String(field.name, "", field.usage)
	}
	flags.StringToStringVar(&f.attributes, "attribute", nil, "a further attribute, `KEY=VALUE`; may be there several times")
	flags.StringVar(&f.url, "url", "http://127.0.0.1:4318", "`URL` of the gateway")
	flags.StringVar((*string)(&f.token), "token", "", "bearer token: the value, file:PATH or env:NAME")
	flags.DurationVar(&f.timeout, "timeout", time.Minute, "give up after this time")
	if err := c.MarkFlagRequired("kind"); err != nil {
		panic(err) // there is no such flag
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return f.report(c.Context(), c.OutOrStdout()) }
	return c
}

// report sends the change and prints its id.
func (f *changeFlags) report(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	if *f.fields["id"] == "" {
		var id [16]byte
		_, _ = rand.Read(id[:]) // never fails
		*f.fields["id"] = hex.EncodeToString(id[:])
	}
	if *f.fields["time"] == "" {
		*f.fields["time"] = time.Now().UTC().Format(time.RFC3339Nano)
	}
	change := map[string]any{}
	for name, value := range f.fields {
		if *value != "" {
			change[name] = *value
		}
	}
	if len(f.attributes) > 0 {
		change["attributes"] = f.attributes
	}
	body, err := json.Marshal(change)
	if err != nil {
		return err
	}
	token, err := f.token.Value()
	if err != nil {
		return fmt.Errorf("--token: %w", err)
	}
	for {
		wait, err := f.send(ctx, body, token)
		if err == nil {
			fmt.Fprintln(out, *f.fields["id"])
			return nil
		}
		if wait == 0 {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

// send sends the change once. Where that may succeed later it says when, too.
func (f *changeFlags) send(ctx context.Context, body []byte, token string) (again time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(f.url, "/")+changes.Path, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("--url: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return time.Second, fmt.Errorf("reporting the change: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	const most = 64 << 10 // of an answer
	text, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err != nil {
		return time.Second, fmt.Errorf("reading the gateway's answer: %w", err)
	}
	var answer struct {
		Rejected int64
		Error    struct{ Message string }
	}
	_ = json.Unmarshal(text, &answer) // what is no JSON has no message
	switch {
	case response.StatusCode == http.StatusTooManyRequests || response.StatusCode == http.StatusServiceUnavailable:
		again = time.Second
		if n, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && n > 0 {
			again = time.Duration(n) * time.Second
		}
		fallthrough
	case response.StatusCode != http.StatusOK:
		return again, fmt.Errorf("the gateway answers %s: %s", response.Status, answer.Error.Message)
	case answer.Rejected > 0:
		return 0, errors.New("the gateway refused the change: its time is too far away, or a text is too long")
	}
	return 0, nil
}
