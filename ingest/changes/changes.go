// Package changes takes reports of changes at the gateway, such as deployments: in
// goshawk's own JSON, and as GitHub, GitLab, Argo CD and Kubernetes word them. Each
// becomes an event called change. docs/formats/changes.md has the events.
//
// It must not know how requests are limited, decompressed or produced: that is the
// gateway.
package changes

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// Path is that of goshawk's own JSON. Others are below it.
const Path = "/api/v1/changes"

// format reads the reports of one source.
type format struct {
	name, about string
	// delivery is the field of the header that names a delivery.
	delivery string
	// read returns the changes that a report is about, which may be none.
	read func(r *report) ([]change, error)
	// check refuses a report that nobody who may has sent; nil checks nothing.
	check func(cfg *secrets, r *report) error
}

// formats lists the sources by what follows the path.
var formats = map[string]format{
	"":            {"", "changes: deployments, configurations, restarts", "Idempotency-Key", readOwn, nil},
	"/github":     {"github", "changes, webhooks of GitHub", "X-Github-Delivery", readGitHub, checkGitHub},
	"/gitlab":     {"gitlab", "changes, webhooks of GitLab", "X-Gitlab-Event-Uuid", readGitLab, checkGitLab},
	"/argocd":     {"argocd", "changes, notifications of Argo CD", "Idempotency-Key", readArgoCD, nil},
	"/kubernetes": {"kubernetes", "changes, objects of Kubernetes", "Idempotency-Key", readKubernetes, nil},
}

// Routes returns the paths that take changes.
func Routes(cfg Config) ([]gateway.Route, error) {
	known, err := secretsOf(cfg)
	if err != nil {
		return nil, err
	}
	var routes []gateway.Route
	for _, path := range slices.Sorted(maps.Keys(formats)) {
		f := formats[path]
		routes = append(routes, gateway.Route{
			Path: Path + path, Signal: telemetry.Logs, About: f.about, Token: token,
			Formats: []gateway.Format{{
				ContentType: "application/json",
				Matches:     func(string) bool { return true },
				Body:        worded,
				NewSplitter: func(limits otlp.Limits, claim func(int64) error) gateway.Splitter {
					return &splitter{cfg: cfg, secrets: known, format: f, claim: claim, Splitter: otlp.NewSplitter(limits)}
				},
			}},
		})
	}
	return routes, nil
}

// secrets are what reports are checked with, as they are.
type secrets struct{ gitHub, gitLab string }

func secretsOf(cfg Config) (*secrets, error) {
	gitHub, err := cfg.GitHubSecret.Value()
	if err != nil {
		return nil, fmt.Errorf("changes.github_secret: %w", err)
	}
	gitLab, err := cfg.GitLabToken.Value()
	if err != nil {
		return nil, fmt.Errorf("changes.gitlab_token: %w", err)
	}
	return &secrets{gitHub, gitLab}, nil
}

// token returns what a request presents: the Authorization header, or where webhooks
// cannot be told to send one, the parameter token of the URL or GitLab's token.
func token(r *http.Request) string {
	for _, text := range [...]string{r.URL.Query().Get("token"), r.Header.Get("X-Gitlab-Token")} {
		if text != "" && r.Header.Get("Authorization") == "" {
			return "Bearer " + text
		}
	}
	return r.Header.Get("Authorization")
}

// worded words an answer.
func worded(_ telemetry.Signal, a gateway.Answer) []byte {
	answer := map[string]any{"error": map[string]string{"message": a.Message}}
	if a.Status < http.StatusMultipleChoices {
		answer = map[string]any{"rejected": a.Rejected, "message": a.Message}
	}
	body, _ := json.Marshal(answer) // of texts and numbers: cannot fail
	return body
}
