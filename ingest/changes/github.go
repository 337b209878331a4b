package changes

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

// gitHubSignature is where GitHub signs the body of a webhook.
const gitHubSignature = "X-Hub-Signature-256"

// checkGitHub makes sure that a report is signed, where a secret is configured.
func checkGitHub(s *secrets, r *report) error {
	if s.gitHub == "" {
		return nil
	}
	text, ok := strings.CutPrefix(r.header.Get(gitHubSignature), "sha256=")
	signature, err := hex.DecodeString(text)
	mac := hmac.New(sha256.New, []byte(s.gitHub))
	mac.Write(r.body)
	if !ok || err != nil || !hmac.Equal(signature, mac.Sum(nil)) {
		return errors.New("the signature in " + gitHubSignature + " is not that of changes.github_secret")
	}
	return nil
}

// gitHubReport has the fields of GitHub's webhooks that matter.
type gitHubReport struct {
	Action     string
	Ref        string
	After      string
	Deleted    bool
	Compare    string
	Repository struct {
		Name     string
		FullName string `json:"full_name"`
		HTMLURL  string `json:"html_url"`
	}
	Sender     struct{ Login string }
	Deployment struct {
		ID          int64
		Ref, SHA    string
		Environment string
		Description string
		CreatedAt   lenientTime `json:"created_at"`
		Creator     struct{ Login string }
	}
	DeploymentStatus struct {
		State       string
		TargetURL   string      `json:"target_url"`
		LogURL      string      `json:"log_url"`
		Description string      `json:"description"`
		CreatedAt   lenientTime `json:"created_at"`
	} `json:"deployment_status"`
	WorkflowRun struct {
		ID           int64
		Name         string
		DisplayTitle string `json:"display_title"`
		HeadBranch   string `json:"head_branch"`
		HeadSHA      string `json:"head_sha"`
		Status       string
		Conclusion   string
		HTMLURL      string      `json:"html_url"`
		CreatedAt    lenientTime `json:"created_at"`
		UpdatedAt    lenientTime `json:"updated_at"`
		Actor        struct{ Login string }
	} `json:"workflow_run"`
	HeadCommit struct {
		Message   string
		URL       string
		Timestamp lenientTime
	} `json:"head_commit"`
	Release struct {
		ID          int64
		TagName     string `json:"tag_name"`
		Name        string
		HTMLURL     string      `json:"html_url"`
		PublishedAt lenientTime `json:"published_at"`
		Author      struct{ Login string }
	}
}

// lenientTime is a time in one of the notations that webhooks use; what is none is
// zero.
type lenientTime struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (t *lenientTime) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) != nil {
		return nil // null, or a number that says when a repository was made
	}
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 MST"} {
		if parsed, err := time.Parse(layout, text); err == nil && parsed.Unix() > 0 {
			t.Time = parsed
			return nil
		}
	}
	return nil
}

// readGitHub reads a webhook. Of events that change nothing nothing is made.
func readGitHub(r *report) ([]change, error) {
	body := r.body
	if strings.HasPrefix(r.header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, errors.New("the body is no form")
		}
		body = []byte(form.Get("payload"))
	}
	var g gitHubReport
	if err := json.Unmarshal(body, &g); err != nil {
		return nil, badJSON(err)
	}
	c := change{
		Service: g.Repository.Name, Author: g.Sender.Login,
		more: []logwriter.Attribute{{Key: "vcs.repository.name", Value: g.Repository.FullName}, {Key: "vcs.repository.url.full", Value: g.Repository.HTMLURL}},
	}
	prefix := "github/" + g.Repository.FullName + "/"
	switch event := r.header.Get("X-Github-Event"); event {
	case "deployment", "deployment_status":
		d := &g.Deployment
		c.Kind, c.ID, c.Status, c.Time = "deployment", prefix+"deployment/"+strconv.FormatInt(d.ID, 10), started, d.CreatedAt.Time
		c.Version, c.Environment, c.Title = d.Ref, d.Environment, d.Description
		if c.Version == "" {
			c.Version = d.SHA
		}
		if d.Creator.Login != "" {
			c.Author = d.Creator.Login
		}
		c.head(d.Ref, d.SHA)
		c.Link = g.Repository.HTMLURL + "/deployments"
		if event == "deployment" {
			break
		}
		s := &g.DeploymentStatus
		switch s.State {
		case "success":
			c.Status = succeeded
		case "failure", "error":
			c.Status = failed
		case "inactive":
			return nil, nil // another took its place
		}
		c.Time = s.CreatedAt.Time
		for _, link := range [...]string{s.TargetURL, s.LogURL} {
			if link != "" {
				c.Link = link
			}
		}
	case "workflow_run":
		w := &g.WorkflowRun
		c.Kind, c.ID, c.Status, c.Time = "pipeline", prefix+"run/"+strconv.FormatInt(w.ID, 10), started, w.CreatedAt.Time
		if w.Status == "completed" {
			c.Time = w.UpdatedAt.Time
			switch w.Conclusion {
			case "success":
				c.Status = succeeded
			case "neutral", "skipped", "stale":
				return nil, nil
			default:
				c.Status = failed
			}
		}
		c.Version, c.Link, c.Title = shortSHA(w.HeadSHA), w.HTMLURL, strings.Trim(w.Name+": "+w.DisplayTitle, ": ")
		if w.Actor.Login != "" {
			c.Author = w.Actor.Login
		}
		c.head(w.HeadBranch, w.HeadSHA)
		c.pipeline(w.Name, strconv.FormatInt(w.ID, 10), w.HTMLURL)
	case "push":
		if g.Deleted || strings.Trim(g.After, "0") == "" {
			return nil, nil
		}
		c.Kind, c.ID, c.Status, c.Time = "push", prefix+"push/"+g.Ref+"/"+g.After, succeeded, g.HeadCommit.Timestamp.Time
		c.Version, c.Title, c.Link = shortSHA(g.After), firstLine(g.HeadCommit.Message), g.HeadCommit.URL
		if c.Link == "" {
			c.Link = g.Compare
		}
		c.head(strings.TrimPrefix(strings.TrimPrefix(g.Ref, "refs/heads/"), "refs/tags/"), g.After)
	case "release":
		if g.Action != "published" {
			return nil, nil
		}
		c.Kind, c.ID, c.Status, c.Time = "release", prefix+"release/"+strconv.FormatInt(g.Release.ID, 10), succeeded, g.Release.PublishedAt.Time
		c.Version, c.Link, c.Title = g.Release.TagName, g.Release.HTMLURL, g.Release.Name
		if g.Release.Author.Login != "" {
			c.Author = g.Release.Author.Login
		}
		c.head(g.Release.TagName, "")
	case "":
		return nil, errors.New("there is no X-GitHub-Event: this path takes webhooks of GitHub")
	default:
		return nil, nil
	}
	return []change{c}, nil
}

// head adds the branch, tag and commit that a change is of.
func (c *change) head(name, revision string) {
	c.more = append(c.more, logwriter.Attribute{Key: "vcs.ref.head.name", Value: name}, logwriter.Attribute{Key: "vcs.ref.head.revision", Value: revision})
}

// pipeline adds the pipeline that made a change.
func (c *change) pipeline(name, run, link string) {
	c.more = append(c.more, logwriter.Attribute{Key: "cicd.pipeline.name", Value: name},
		logwriter.Attribute{Key: "cicd.pipeline.run.id", Value: run}, logwriter.Attribute{Key: "cicd.pipeline.run.url.full", Value: link})
}

// shortSHA is a commit as people write it.
func shortSHA(sha string) string { return sha[:min(len(sha), 12)] }
