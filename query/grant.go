package query

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/goshawk-observability/goshawk/internal/transport"
	"github.com/goshawk-observability/goshawk/query/api"
)

// grant is what a client may see: the rows of one tenant, or with an empty
// tenant everything.
type grant struct{ tenant string }

// grants knows who may see what. It keeps keyed hashes of tokens, so that how
// long a comparison takes says nothing about them.
type grants struct {
	key       [sha256.Size]byte
	byHash    map[[sha256.Size]byte]grant
	anonymous *grant // nil where a token is needed
}

func newGrants(cfg Config) (*grants, error) {
	g := &grants{byHash: make(map[[sha256.Size]byte]grant, len(cfg.Tokens))}
	_, _ = rand.Read(g.key[:]) // never fails
	for i, c := range cfg.Tokens {
		secret, err := c.Token.Value()
		if err != nil {
			return nil, fmt.Errorf("query.tokens[%d]: %w", i, err)
		}
		if secret == "" {
			return nil, fmt.Errorf("query.tokens[%d]: the token is empty", i)
		}
		hash := g.hash(secret)
		if _, ok := g.byHash[hash]; ok {
			return nil, fmt.Errorf("query.tokens[%d]: the same token as an earlier one", i)
		}
		g.byHash[hash] = grant{tenant: c.Tenant}
	}
	switch {
	case len(cfg.Tokens) == 0:
		g.anonymous = &grant{}
	case cfg.AllowAnonymous:
		g.anonymous = &grant{tenant: cfg.DefaultTenant}
	}
	return g, nil
}

func (g *grants) hash(token string) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, g.key[:])
	mac.Write([]byte(token))
	mac.Sum(sum[:0])
	return sum
}

// of returns what the request may see. Where no tokens are configured nothing
// is asked for: tools that send a ClickHouse user and password work as they are.
func (g *grants) of(r *http.Request) (grant, string) {
	if len(g.byHash) == 0 {
		return *g.anonymous, ""
	}
	token := presented(r)
	if token == "" {
		if g.anonymous != nil {
			return *g.anonymous, ""
		}
		return grant{}, "no token; send the header Authorization: Bearer TOKEN, or the token as password of any user"
	}
	if found, ok := g.byHash[g.hash(token)]; ok {
		return found, ""
	}
	return grant{}, "the token is not known"
}

// presented returns the token of a request: a bearer token, or what tools for
// ClickHouse take for the password.
func presented(r *http.Request) string {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "bearer") {
		return strings.TrimSpace(token)
	}
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	if key := r.Header.Get("X-ClickHouse-Key"); key != "" {
		return key
	}
	return r.URL.Query().Get("password")
}

// granted lets a request in and says for whom.
func (s *Server) granted(next func(http.ResponseWriter, *http.Request, grant)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		g, why := s.grants.of(r)
		if why != "" {
			w.Header().Set("WWW-Authenticate", `Bearer realm="goshawk"`)
			api.WriteError(w, http.StatusUnauthorized, why)
			return
		}
		next(w, r, g)
	}
}

// tenantHeader is where an operator names the tenant whose metrics are asked
// for, as Grafana's data sources can for other stores.
const tenantHeader = "X-Scope-OrgID"

// tenantOf returns the tenant whose rows a request is about that can be about
// one tenant only. A token's own tenant cannot be changed.
func (s *Server) tenantOf(r *http.Request, g grant) string {
	if g.tenant != "" {
		return g.tenant
	}
	if tenant := r.Header.Get(tenantHeader); tenant != "" {
		return tenant
	}
	return s.cfg.DefaultTenant
}

// guardOrigin refuses what a page of another site makes a browser send. Without
// tokens, being able to send is all it takes to be answered.
func (s *Server) guardOrigin(next http.Handler) http.Handler {
	local := false
	if host, _, err := net.SplitHostPort(s.cfg.Listen); err == nil {
		local = transport.Loopback(host)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if (local || len(s.cfg.AllowedHosts) > 0) && !s.knownHost(r.Host) {
			api.WriteError(w, http.StatusForbidden,
				fmt.Sprintf("the host %q is not one of this service; query.allowed_hosts lists more", r.Host))
			return
		}
		if crossSite(r) {
			api.WriteError(w, http.StatusForbidden, "a page of another site must not ask this service")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// knownHost allows addresses, localhost and what is configured: names that
// somebody else's DNS server cannot point here.
func (s *Server) knownHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.Trim(strings.TrimSuffix(host, "."), "[]")
	if _, err := netip.ParseAddr(host); err == nil || strings.EqualFold(host, "localhost") {
		return true
	}
	return slices.ContainsFunc(s.cfg.AllowedHosts, func(name string) bool { return strings.EqualFold(name, host) })
}

// crossSite reports whether a browser sent the request for a page of another
// site. A link to the page itself is fine.
func crossSite(r *http.Request) bool {
	if r.Method == http.MethodGet && r.URL.Path == "/" && r.URL.RawQuery == "" {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host != r.Host
}
