package interop

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/getsentry/sentry-go"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// TestSentry has Sentry's clients for Go and for Node.js send an error, a message, a
// log and spans, and expects them in the tables and from the API of errors.
func TestSentry(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Options{Up: true})
	t.Run("Go", func(t *testing.T) { testSentryGo(t, c) })
	t.Run("Node.js", func(t *testing.T) {
		for _, tool := range []string{"node", "npm"} {
			if _, err := exec.LookPath(tool); err != nil {
				t.Skipf("SKIP JavaScript: %s is not installed", tool)
			}
		}
		if out, err := exec.CommandContext(t.Context(), "javascript/fetch").CombinedOutput(); err != nil {
			t.Fatalf("fetching the clients: %v\n%s", err, out)
		}
		service := serviceName(t)
		var said sentrySaid
		node(t, &said, "sentry.cjs", "http://key@"+c.HTTP+"/7002", service)
		said.kind, said.text, said.culprit, said.language = "RangeError", "order 4711 is closed", "pay", "nodejs"
		checkSentry(t, c, service, "7002", &said)
		checkSessions(t, c, "7002")
	})
	t.Run("changes", func(t *testing.T) { testChanges(t, c) })
	audit(t, c)
}

// checkSessions asks in PromQL for the session that the client for Node.js began.
func checkSessions(t *testing.T, c *cluster.Cluster, project string) {
	t.Helper()
	question := url.QueryEscape(`sum by ("sentry.session.status") ({"sentry.sessions", job="` + project + `"})`)
	err := cluster.Eventually(settle, func() error {
		answer := string(ask(t, c, "/api/v1/query?query="+question, "application/json"))
		if !strings.Contains(answer, `"sentry.session.status":"started"`) {
			return errors.New(answer)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// testChanges reports a deployment with the command, twice, and asks for it.
func testChanges(t *testing.T, c *cluster.Cluster) {
	service := serviceName(t)
	id := ""
	for _, status := range []string{"started", "succeeded"} {
		args := []string{"change", "--kind", "deployment", "--service", service, "--version", "1.4.2", "--environment", "prod", "--author", "ann", "--status", status, "--url", "http://" + c.HTTP}
		if id != "" {
			args = append(args, "--id", id)
		}
		out, err := exec.CommandContext(t.Context(), os.Getenv("GOSHAWK_BINARY"), args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		id = strings.TrimSpace(string(out))
	}
	var answer struct {
		Changes []struct{ ID, Kind, Status, Service, Version, Environment, Author string }
	}
	err := cluster.Eventually(settle, func() error {
		answer.Changes = nil
		if err := json.Unmarshal(ask(t, c, "/api/v1/changes?service="+service, "application/json"), &answer); err != nil {
			return err
		}
		if len(answer.Changes) != 1 || answer.Changes[0].Status != "succeeded" {
			return fmt.Errorf("the changes are %+v", answer.Changes)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := answer.Changes[0]; got.ID != id || got.Kind != "deployment" || got.Service != service || got.Version != "1.4.2" || got.Environment != "prod" || got.Author != "ann" {
		t.Errorf("the change is %+v", got)
	}
}

// sentrySaid is what a client has sent.
type sentrySaid struct {
	Trace, Root, Child, Error, Message string

	kind, text, culprit, language string
}

type closedError struct {
	order int
	cause error
}

func (e *closedError) Error() string { return fmt.Sprintf("order %d is closed", e.order) }
func (e *closedError) Unwrap() error { return e.cause }

// testSentryGo sends with the client for Go.
func testSentryGo(t *testing.T, c *cluster.Cluster) {
	service := serviceName(t)
	client, err := sentry.NewClient(sentry.ClientOptions{
		Dsn: "http://key@" + c.HTTP + "/7001", Release: "1.4.2", Environment: "prod", ServerName: "app-1", EnableTracing: true, TracesSampleRate: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	hub := sentry.NewHub(client, sentry.NewScope())
	hub.Scope().SetTags(map[string]string{"service": service, "region": "eu"})
	hub.Scope().SetUser(sentry.User{ID: "u7", Email: "ann@example.com"})
	hub.AddBreadcrumb(&sentry.Breadcrumb{Category: "cart", Message: "paid"}, nil)

	root := sentry.StartTransaction(sentry.SetHubOnContext(t.Context(), hub), "POST /pay", sentry.WithOpName("http.server"))
	child := root.StartChild("db.query", sentry.WithDescription("SELECT orders"))
	child.SetData("db.system.name", "postgresql")
	child.SetData("rows", 3)
	child.Status = sentry.SpanStatusOK
	child.Finish()
	hub.Scope().SetSpan(root)
	said := sentrySaid{Trace: root.TraceID.String(), Root: root.SpanID.String(), Child: child.SpanID.String()}
	said.Error = string(*hub.CaptureException(&closedError{4711, errors.New("no stock")}))
	hub.WithScope(func(scope *sentry.Scope) {
		scope.SetLevel(sentry.LevelWarning)
		said.Message = string(*hub.CaptureMessage("low stock"))
	})
	sentry.NewLogger(root.Context()).Info().Int("order", 4712).Emit("order 4712 is paid")
	root.Status = sentry.SpanStatusOK
	root.Finish()
	if !client.Flush(10 * time.Second) {
		t.Fatal("not everything was sent")
	}
	said.kind, said.text, said.culprit, said.language = "*interop.closedError", "order 4711 is closed", "interop.testSentryGo", "go"
	checkSentry(t, c, service, "7001", &said)
}

// checkSentry waits for what was sent. Spans and logs have no tags, so their service
// is the project.
func checkSentry(t *testing.T, c *cluster.Cluster, service, project string, said *sentrySaid) {
	t.Helper()
	type failure struct {
		Type, Message, Culprit, Stack, Release, Environment, User, Trace, Span, Group, Class string
		Handled                                                                              bool
	}
	var got []failure
	err := cluster.Eventually(settle, func() (err error) {
		got, err = rows[failure](c, "SELECT type AS Type, message AS Message, culprit AS Culprit, stack AS Stack, release AS Release, environment AS Environment, user AS User, lower(hex(trace_id)) AS Trace,"+
			" lower(hex(span_id)) AS Span, lower(leftPad(hex(error_group), 16, '0')) AS Group, severity_class AS Class, handled AS Handled FROM errors WHERE event_id = '"+said.Error+"'")
		if err == nil && len(got) != 1 {
			err = fmt.Errorf("%d errors are stored", len(got))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	f := got[0]
	if f.Type != said.kind || f.Message != said.text || f.Culprit != said.culprit || f.Release != "1.4.2" || f.Environment != "prod" || f.User != "u7" || f.Trace != said.Trace || f.Span != said.Root ||
		f.Class != "error" || !f.Handled || !strings.Contains(f.Stack, said.text) || !strings.Contains(f.Stack, "no stock") {
		t.Errorf("the error is %+v, sent was %+v", f, *said)
	}

	type log struct {
		Service, Body, Severity, Event, Language, Host string
		Attributes                                     map[string]string
	}
	const columns = "service AS Service, body AS Body, severity_text AS Severity, event_name AS Event, resource_attributes['telemetry.sdk.language'] AS Language, host_name AS Host, attributes AS Attributes"
	var logs []log
	err = cluster.Eventually(settle, func() (err error) {
		logs, err = rows[log](c, "SELECT "+columns+" FROM logs WHERE trace_id = unhex('"+said.Trace+"')")
		if err == nil && len(logs) != 3 {
			err = fmt.Errorf("%d log records are stored", len(logs))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var message, failed, paid log
	for _, l := range logs {
		switch {
		case l.Event == "exception":
			failed = l
		case l.Service == service:
			message = l
		default:
			paid = l
		}
	}
	if message.Body != "low stock" || message.Severity != "warning" || message.Service != service || message.Event != "" || message.Attributes["sentry.event_id"] != said.Message {
		t.Errorf("the message is %+v", message)
	}
	if failed.Event != "exception" || failed.Service != service || failed.Language != said.language || failed.Host != "app-1" || failed.Attributes["sentry.tags.region"] != "eu" ||
		failed.Attributes["user.hash"] == "" || !strings.Contains(failed.Attributes["sentry.breadcrumbs"], "paid") {
		t.Errorf("the error's log record is %+v", failed)
	}
	if paid.Service != project || !strings.HasSuffix(paid.Body, "is paid") || paid.Attributes["order"] != "4712" || paid.Attributes["user.email"] != "" {
		t.Errorf("the log is %+v", paid)
	}

	type span struct {
		Service, ID, Parent, Name, Kind, Status, Version string
		Attributes                                       map[string]string
	}
	var spans []span
	err = cluster.Eventually(settle, func() (err error) {
		spans, err = rows[span](c, "SELECT service AS Service, lower(hex(span_id)) AS ID, lower(hex(parent_span_id)) AS Parent, name AS Name, kind AS Kind, status AS Status, service_version AS Version,"+
			" attributes AS Attributes FROM spans WHERE trace_id = unhex('"+said.Trace+"') ORDER BY name")
		if err == nil && len(spans) != 2 {
			err = fmt.Errorf("%d spans are stored", len(spans))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	root, child := spans[0], spans[1]
	if root.ID != said.Root || root.Parent != noParent || root.Name != "POST /pay" || root.Kind != "server" || root.Status != "ok" || root.Version != "1.4.2" {
		t.Errorf("the transaction is %+v", root)
	}
	if child.ID != said.Child || child.Parent != said.Root || child.Name != "SELECT orders" || child.Kind != "client" || child.Attributes["db.system.name"] != "postgresql" {
		t.Errorf("the span is %+v", child)
	}

	var answer struct {
		Errors []struct {
			Group, Type, Culprit string
			Count, Users         int
			New                  bool
		}
	}
	if err := json.Unmarshal(ask(t, c, "/api/v1/errors?service="+service, "application/json"), &answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.Errors) != 1 || answer.Errors[0].Group != f.Group || answer.Errors[0].Count != 1 || answer.Errors[0].Users != 1 || !answer.Errors[0].New {
		t.Errorf("the API has %+v, want the group %s", answer, f.Group)
	}
	if group := string(ask(t, c, "/api/v1/errors/"+f.Group, "application/json")); !strings.Contains(group, said.Trace) || !strings.Contains(group, "no stock") {
		t.Errorf("the API has the group %s", group)
	}
}
