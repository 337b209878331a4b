package sql

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// TenantFilter is the condition of the row policies that bound a tenant's
// queries: the tenant stands before the first slash of the query's id, which
// the query itself cannot change.
const TenantFilter = "tenant = splitByChar('/', initialQueryID())[1]"

// TenantTables are the tables that a tenant may read: all that say whose a row
// is. Views over them are bounded through them.
func TenantTables() []string {
	var names []string
	for _, t := range tables.All() {
		for _, c := range t.Columns {
			if c.Name == "tenant" {
				names = append(names, t.Name)
				break
			}
		}
	}
	return names
}

// RowFilters returns the condition per table, as the embedded engine takes
// them. A view has none of its own: it reads its tables as the user who asks.
func RowFilters() map[string]string {
	filters := map[string]string{}
	for _, name := range TenantTables() {
		filters[name] = TenantFilter
	}
	for _, v := range tables.Views() {
		filters[v.Name] = ""
	}
	return filters
}

// PolicyStatements returns the statements that make the user tenant queries
// run as, with the policies that bound it. They are for a ClickHouse server
// that keeps its users by itself; the embedded engine has them already.
func PolicyStatements(cfg Config, onCluster string) []string {
	user := tables.Quote(cfg.TenantUsername)
	dialect := tables.Dialect{Database: cfg.Database, Cluster: onCluster}
	var all []string
	for _, v := range tables.Views() {
		all = append(all, fmt.Sprintf("GRANT%s SELECT ON %s TO %s", dialect.OnCluster(), dialect.Table(v.Name), user))
	}
	for _, name := range TenantTables() {
		all = append(all,
			fmt.Sprintf("GRANT%s SELECT ON %s TO %s", dialect.OnCluster(), dialect.Table(name), user),
			fmt.Sprintf("CREATE ROW POLICY OR REPLACE goshawk_tenant%s ON %s USING %s TO %s",
				dialect.OnCluster(), dialect.Table(name), TenantFilter, user))
		if local := dialect.Local(name); local != dialect.Table(name) {
			all = append(all, fmt.Sprintf("CREATE ROW POLICY OR REPLACE goshawk_tenant%s ON %s USING %s TO %s",
				dialect.OnCluster(), local, TenantFilter, user))
		}
	}
	return all
}

// policies knows whether ClickHouse bounds the tenants' user. It asks again
// from time to time, and refuses while it does not know.
type policies struct {
	conn     driver.Conn
	database string
	user     string

	mu      sync.Mutex
	checked time.Time
	missing string
}

// policyCheckInterval is how long an answer is believed.
const policyCheckInterval = time.Minute

// hold returns a fault unless row policies bound every table of tenants.
func (p *policies) hold(ctx context.Context) *Fault {
	if p.conn == nil {
		return &Fault{Status: http.StatusServiceUnavailable, Message: "SQL for tenants is not set up: the row policies cannot be checked"}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.missing != "" || time.Since(p.checked) > policyCheckInterval {
		missing, err := p.check(ctx)
		if err != nil {
			return &Fault{Status: http.StatusServiceUnavailable, Message: "ClickHouse cannot be asked for its row policies at the moment"}
		}
		p.missing, p.checked = missing, time.Now()
	}
	if p.missing != "" {
		return &Fault{
			Status: http.StatusServiceUnavailable,
			Message: fmt.Sprintf("SQL for tenants is not set up: there is no row policy that bounds the user %s on the table %s; "+
				"docs/sql.md has the statements that make them", p.user, p.missing),
		}
	}
	return nil
}

// check returns the first table whose rows the tenants' user could see without
// being bounded, or nothing.
func (p *policies) check(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	bounded := map[string]bool{}
	loose := map[string]bool{}
	err := clickhouse.Each(ctx, p.conn, "reading row policies", func(row clickhouse.Row) error {
		var table string
		var filter *string
		var restrictive bool
		if err := row.Scan(&table, &filter, &restrictive); err != nil {
			return err
		}
		if filter != nil && samePolicy(*filter) {
			bounded[table] = true
		} else if !restrictive {
			// Permissive policies are joined with OR.
			loose[table] = true
		}
		return nil
	}, `SELECT table, select_filter, is_restrictive != 0
FROM system.row_policies
WHERE database = ? AND has(apply_to_list, ?)`, p.database, p.user)
	if err != nil {
		return "", err
	}
	for _, name := range TenantTables() {
		if !bounded[name] || loose[name] {
			return name, nil
		}
	}
	return "", nil
}

// samePolicy compares with TenantFilter as ClickHouse prints it, which puts
// parentheses and spaces where it likes.
func samePolicy(filter string) bool {
	plain := strings.NewReplacer(" ", "", "`", "")
	trim := func(s string) string {
		s = plain.Replace(s)
		for strings.HasPrefix(s, "(") && strings.HasSuffix(s, ")") {
			s = s[1 : len(s)-1]
		}
		return s
	}
	return trim(filter) == trim(TenantFilter)
}
