package gateway

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// tokens knows who may send what. It keeps no token, only keyed hashes: two
// hashes that differ say nothing about the tokens, so how long a comparison
// takes gives nothing away.
type tokens struct {
	key       [sha256.Size]byte
	grants    map[[sha256.Size]byte]grant
	anonymous *grant // nil where a token is needed
}

// grant is what a token allows.
type grant struct {
	tenant  string
	signals [len(telemetry.Signals)]bool
}

func newTokens(cfg Config) (*tokens, error) {
	t := &tokens{grants: make(map[[sha256.Size]byte]grant, len(cfg.Tokens))}
	if _, err := rand.Read(t.key[:]); err != nil {
		return nil, fmt.Errorf("making a key to hash tokens with: %w", err)
	}
	for i, c := range cfg.Tokens {
		secret, err := c.Token.Value()
		if err != nil {
			return nil, fmt.Errorf("gateway.tokens[%d]: %w", i, err)
		}
		if secret == "" {
			return nil, fmt.Errorf("gateway.tokens[%d]: the token is empty", i)
		}
		hash := t.hash(secret)
		if _, ok := t.grants[hash]; ok {
			return nil, fmt.Errorf("gateway.tokens[%d]: the same token as an earlier one", i)
		}
		t.grants[hash] = newGrant(c.Tenant, c.Signals)
	}
	if len(cfg.Tokens) == 0 || cfg.AllowAnonymous {
		g := newGrant(cfg.DefaultTenant, nil)
		t.anonymous = &g
	}
	return t, nil
}

func newGrant(tenant string, signals []string) grant {
	g := grant{tenant: tenant}
	for _, s := range telemetry.Signals {
		g.signals[s] = len(signals) == 0
	}
	for _, name := range signals {
		if s, ok := signalNamed(name); ok {
			g.signals[s] = true
		}
	}
	return g
}

func (t *tokens) hash(token string) [sha256.Size]byte {
	mac := hmac.New(sha256.New, t.key[:])
	mac.Write([]byte(token))
	var sum [sha256.Size]byte
	mac.Sum(sum[:0])
	return sum
}

// tenant returns the tenant that may send the signal with this Authorization
// header, or why nobody may. Where nothing is asked for, a header is ignored.
func (t *tokens) tenant(authorization string, signal telemetry.Signal) (string, *refusal) {
	if len(t.grants) == 0 || authorization == "" {
		if t.anonymous == nil {
			return "", refuse(unauthenticated, "no token; send the header Authorization: Bearer TOKEN")
		}
		return t.anonymous.tenant, nil
	}
	token, ok := tokenIn(authorization)
	if !ok {
		return "", refuse(unauthenticated, "the Authorization header has another scheme than Bearer, Basic or ApiKey")
	}
	g, ok := t.grants[t.hash(token)]
	if !ok {
		return "", refuse(unauthenticated, "the token is not known")
	}
	if !g.signals[signal] {
		return "", refuse(forbidden, "the token does not allow to send %s", signal)
	}
	return g.tenant, nil
}

// tokenIn returns the token in an Authorization header. For clients that know
// nothing else it is the password of Basic, whatever the user is called, or the key
// of Elasticsearch's ApiKey.
func tokenIn(authorization string) (string, bool) {
	scheme, rest, _ := strings.Cut(authorization, " ")
	rest = strings.TrimSpace(rest)
	switch strings.ToLower(scheme) {
	case "bearer":
		return rest, true
	case "basic", "apikey":
		pair, err := base64.StdEncoding.DecodeString(rest)
		_, token, ok := strings.Cut(string(pair), ":")
		return token, ok && err == nil
	}
	return "", false
}
