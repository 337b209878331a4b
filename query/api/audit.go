package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/goshawk-observability/goshawk/query/ledger"
)

// verifyTimeout bounds a full audit over HTTP; `goshawk audit` has no such bound.
const verifyTimeout = 5 * time.Minute

// ServeLedger answers /api/v1/ledger: a summary of the ledger, or with
// verify=true the comparison with the tables.
func (a *API) ServeLedger(w http.ResponseWriter, r *http.Request, tenant string) {
	query := r.URL.Query()
	for name := range query {
		if name != "verify" && name != "since" {
			WriteError(w, http.StatusBadRequest, fmt.Sprintf("the parameter %s is not known; there are verify and since", name))
			return
		}
	}
	verify := false
	if text := query.Get("verify"); text != "" {
		var err error
		if verify, err = strconv.ParseBool(text); err != nil {
			WriteError(w, http.StatusBadRequest, fmt.Sprintf("verify=%s is neither true nor false", text))
			return
		}
	}
	since, err := ParseSince(query.Get("since"), a.deps.Now())
	if err != nil {
		WriteError(w, http.StatusBadRequest, err.Error())
		return
	}
	report, status, err := a.report(r.Context(), tenant, since, query.Get("since"), verify)
	if err != nil {
		WriteError(w, status, err.Error())
		return
	}
	writeJSON(w, http.StatusOK, report)
}

func (a *API) report(ctx context.Context, tenant string, since time.Time, asked string, verify bool) (*ledger.Report, int, error) {
	read := func(ctx context.Context) (*ledger.Report, error) {
		o := ledger.Options{Since: since, Now: a.deps.Now().UTC(), Tenant: tenant}
		if a.deps.Kafka != nil && tenant == "" {
			kafka, err := a.deps.Kafka(ctx)
			if err != nil {
				// The books can be checked without; lag is then unknown.
				a.log.Debug("Kafka's offsets are unknown to the audit", "error", err)
			}
			o.Kafka = kafka
		}
		if verify {
			return a.audit.Verify(ctx, o)
		}
		return a.audit.Summary(ctx, o)
	}
	var report *ledger.Report
	var err error
	if verify {
		select {
		case a.verifying <- struct{}{}:
			defer func() { <-a.verifying }()
		default:
			return nil, http.StatusTooManyRequests, fmt.Errorf("another audit is running; try again when it is done")
		}
		ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
		defer cancel()
		report, err = read(ctx)
	} else {
		report, err = a.summaries.get(ctx, tenant+"\x00"+asked, time.Second, read)
	}
	if err != nil {
		return nil, http.StatusServiceUnavailable, err
	}
	return report, http.StatusOK, nil
}

// ParseSince reads a point in time: RFC 3339, or a duration such as 24h before
// now. Empty is the zero time.
func ParseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("since=%s is neither a duration such as 24h nor a time such as 2026-01-31T12:00:00Z", text)
}
