package changes

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"strconv"
)

// checkGitLab makes sure that a report has the token, where one is configured.
func checkGitLab(s *secrets, r *report) error {
	if s.gitLab != "" && subtle.ConstantTimeCompare([]byte(s.gitLab), []byte(r.header.Get("X-Gitlab-Token"))) != 1 {
		return errors.New("the token in X-Gitlab-Token is not changes.gitlab_token")
	}
	return nil
}

// gitLabReport has the fields of GitLab's webhooks that matter.
type gitLabReport struct {
	Kind    string `json:"object_kind"`
	Project struct {
		Name   string
		Path   string `json:"path_with_namespace"`
		WebURL string `json:"web_url"`
	}
	User struct{ Username, Name string }

	// Of a deployment.
	Status          string
	StatusChangedAt lenientTime `json:"status_changed_at"`
	DeploymentID    int64       `json:"deployment_id"`
	DeployableURL   string      `json:"deployable_url"`
	Environment     any         // a text; of a pipeline's builds an object
	ShortSHA        string      `json:"short_sha"`
	Ref             string
	CommitTitle     string `json:"commit_title"`

	// Of a pipeline.
	Attributes struct {
		ID         int64
		Name       string
		Ref, SHA   string
		Status     string
		URL        string
		CreatedAt  lenientTime `json:"created_at"`
		FinishedAt lenientTime `json:"finished_at"`
	} `json:"object_attributes"`
	Commit struct{ Title string }

	// Of a release.
	ID         int64
	Tag, Name  string
	Action     string
	URL        string
	ReleasedAt lenientTime `json:"released_at"`
}

// readGitLab reads a webhook. Of events that change nothing nothing is made.
func readGitLab(r *report) ([]change, error) {
	var g gitLabReport
	if err := json.Unmarshal(r.body, &g); err != nil {
		return nil, badJSON(err)
	}
	c := change{Service: g.Project.Name, Author: g.User.Username}
	if c.Author == "" {
		c.Author = g.User.Name
	}
	c.more = append(c.more, attribute("vcs.repository.name", g.Project.Path), attribute("vcs.repository.url.full", g.Project.WebURL))
	prefix := "gitlab/" + g.Project.Path + "/"
	switch g.Kind {
	case "deployment":
		c.Kind, c.ID, c.Time = "deployment", prefix+"deployment/"+strconv.FormatInt(g.DeploymentID, 10), g.StatusChangedAt.Time
		c.Environment, _ = g.Environment.(string)
		c.Version, c.Link, c.Title = g.ShortSHA, g.DeployableURL, g.CommitTitle
		c.head(g.Ref, g.ShortSHA)
		c.Status = gitLabStatus(g.Status)
	case "pipeline":
		p := &g.Attributes
		c.Kind, c.ID, c.Time = "pipeline", prefix+"pipeline/"+strconv.FormatInt(p.ID, 10), p.CreatedAt.Time
		c.Version, c.Link, c.Title = shortSHA(p.SHA), p.URL, g.Commit.Title
		c.head(p.Ref, p.SHA)
		c.pipeline(p.Name, strconv.FormatInt(p.ID, 10), p.URL)
		if c.Status = gitLabStatus(p.Status); c.Status != started && !p.FinishedAt.IsZero() {
			c.Time = p.FinishedAt.Time
		}
	case "release":
		if g.Action != "create" {
			return nil, nil
		}
		c.Kind, c.ID, c.Status, c.Time = "release", prefix+"release/"+strconv.FormatInt(g.ID, 10), succeeded, g.ReleasedAt.Time
		c.Version, c.Link, c.Title = g.Tag, g.URL, g.Name
		c.head(g.Tag, "")
	case "":
		return nil, errors.New("there is no object_kind: this path takes webhooks of GitLab")
	default:
		return nil, nil
	}
	if c.Status == "" {
		return nil, nil
	}
	return []change{c}, nil
}

// gitLabStatus returns how far something is, empty for what does not happen.
func gitLabStatus(word string) string {
	switch word {
	case "created", "waiting_for_resource", "preparing", "pending", "running", "scheduled", "manual", "blocked":
		return started
	case "success":
		return succeeded
	case "failed", "canceled", "canceling":
		return failed
	}
	return ""
}
