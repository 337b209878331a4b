package changes

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

func attribute(key, value string) logwriter.Attribute {
	return logwriter.Attribute{Key: key, Value: value}
}

// argoReport is what the template of docs/changes.md sends, or with its other fields an
// Application, which may be the member app of an object.
type argoReport struct {
	App         json.RawMessage
	Namespace   string
	Project     string
	Environment string
	Revision    string
	Version     string
	Phase       string
	Message     string
	Author      string
	Repository  string
	URL         string
	StartedAt   lenientTime `json:"started_at"`
	FinishedAt  lenientTime `json:"finished_at"`

	Kind string
	argoApplication
}

// argoApplication has the fields of an Application that matter.
type argoApplication struct {
	Metadata struct {
		Name   string
		Labels map[string]string
	}
	Spec struct {
		Project     string
		Source      struct{ RepoURL, TargetRevision string }
		Destination struct{ Namespace, Name, Server string }
	}
	Status struct {
		Sync           struct{ Revision string }
		OperationState struct {
			Phase, Message        string
			StartedAt, FinishedAt lenientTime
			SyncResult            struct{ Revision string }
			Operation             struct{ InitiatedBy struct{ Username string } }
		}
		Summary struct {
			Images       []string
			ExternalURLs []string
		}
	}
}

// readArgoCD reads a notification: goshawk's template, an Application, or the text that
// Argo CD sends where no body is configured.
func readArgoCD(r *report) ([]change, error) {
	body := bytes.TrimSpace(r.body)
	if len(body) == 0 {
		return nil, errors.New("the body is empty")
	}
	if body[0] != '{' {
		text := string(body)
		c := change{Kind: "deployment", Status: succeeded, Title: firstLine(text)}
		if rest, ok := strings.CutPrefix(text, "Application "); ok {
			c.Service, _, _ = strings.Cut(rest, " ")
		}
		if strings.Contains(text, "fail") || strings.Contains(text, "error") || strings.Contains(text, "degraded") {
			c.Status = failed
		}
		return []change{c}, nil
	}
	var a argoReport
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, badJSON(err)
	}
	var name string
	switch {
	case json.Unmarshal(a.App, &name) == nil && name != "":
		return []change{a.template(name)}, nil
	case len(a.App) > 0 && a.App[0] == '{':
		a = argoReport{}
		var wrapped struct{ App argoApplication }
		if err := json.Unmarshal(body, &wrapped); err != nil {
			return nil, badJSON(err)
		}
		a.argoApplication = wrapped.App
	}
	if a.Metadata.Name == "" {
		return nil, errors.New("there is neither app nor metadata.name: want the template of docs/changes.md, or an Application")
	}
	s := &a.Status.OperationState
	a.Namespace, a.Project, a.Repository = a.Spec.Destination.Namespace, a.Spec.Project, a.Spec.Source.RepoURL
	a.Revision, a.Phase, a.Message, a.Author = s.SyncResult.Revision, s.Phase, s.Message, s.Operation.InitiatedBy.Username
	a.StartedAt, a.FinishedAt = s.StartedAt, s.FinishedAt
	if a.Revision == "" {
		a.Revision = a.Status.Sync.Revision
	}
	if len(a.Status.Summary.Images) == 1 {
		a.Version = imageTag(a.Status.Summary.Images[0])
	}
	if len(a.Status.Summary.ExternalURLs) > 0 {
		a.URL = a.Status.Summary.ExternalURLs[0]
	}
	return []change{a.template(a.Metadata.Name)}, nil
}

// template makes the change of an application.
func (a *argoReport) template(name string) change {
	c := change{
		Kind: "deployment", Service: name, Version: a.Version, Environment: a.Environment, Author: a.Author, Link: a.URL, Title: firstLine(a.Message),
		Status: started, Time: a.StartedAt.Time,
		resource: []logwriter.Attribute{attribute("k8s.namespace.name", a.Namespace)},
		more:     []logwriter.Attribute{attribute("vcs.repository.url.full", a.Repository), attribute("argocd.project", a.Project)},
	}
	c.head("", a.Revision)
	if c.Version == "" {
		c.Version = shortSHA(a.Revision)
	}
	// A synchronisation begins once.
	if !a.StartedAt.IsZero() {
		c.ID = "argocd/" + name + "/" + a.StartedAt.UTC().Format(time.RFC3339)
	}
	switch a.Phase {
	case "Succeeded":
		c.Status = succeeded
	case "Failed", "Error":
		c.Status = failed
	}
	if c.Status != started && !a.FinishedAt.IsZero() {
		c.Time = a.FinishedAt.Time
	}
	return c
}
