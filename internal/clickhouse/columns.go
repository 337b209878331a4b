package clickhouse

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
)

// The types of [Columns]' queries, for callers that need no more of ch-go.
type (
	// Query is a statement and where its columns go.
	Query = ch.Query
	// Setting is a setting of one query.
	Setting = ch.Setting
	// Parameter is a value that a statement refers to as {name:Type}.
	Parameter = proto.Parameter
	// Exception is what the server says of a statement that it refuses.
	Exception = ch.Exception
)

// Columns reads results column by column, without the conversion of every value
// that [Conn] does: for queries that return millions of rows. It is safe for
// concurrent use.
type Columns struct {
	options ch.Options
	cfg     Config
	// slots bounds the connections, and idle keeps those that nobody uses.
	slots chan struct{}
	idle  chan *ch.Client

	mu     sync.Mutex
	closed bool
}

// maxIdleColumns is how many connections are kept between queries.
const maxIdleColumns = 8

// OpenColumns makes a pool of at most c.MaxConns connections. It does not
// connect: the first query does.
func OpenColumns(c Config) (*Columns, error) {
	password, encryption, err := c.load()
	if err != nil {
		return nil, err
	}
	return &Columns{
		cfg:     c,
		options: columnOptions(c, password, encryption),
		slots:   make(chan struct{}, max(1, c.MaxConns)),
		idle:    make(chan *ch.Client, maxIdleColumns),
	}, nil
}

func columnOptions(c Config, password string, encryption *tls.Config) ch.Options {
	o := ch.Options{
		User: c.Username, Password: password, TLS: encryption,
		DialTimeout: c.DialTimeout, HandshakeTimeout: c.DialTimeout,
		// A query may compute for long before it sends anything; the caller's
		// context bounds it.
		ReadTimeout: ch.NoTimeout,
		ClientName:  "goshawk",
	}
	switch c.compression().Method {
	case clickhouse.CompressionLZ4:
		o.Compression = ch.CompressionLZ4
	case clickhouse.CompressionZSTD:
		o.Compression = ch.CompressionZSTD
	}
	return o
}

// Do runs a query. It waits for a connection while all are in use. A query that
// fails before it returned anything because its connection had been closed is
// sent once more.
func (p *Columns) Do(ctx context.Context, q ch.Query) error {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-p.slots }()
	started := false
	if handle := q.OnResult; handle != nil {
		q.OnResult = func(ctx context.Context, b proto.Block) error {
			started = true
			return handle(ctx, b)
		}
	}
	for {
		client, used, err := p.take(ctx)
		if err != nil {
			return err
		}
		err = client.Do(ctx, q)
		if err == nil {
			p.give(client)
			return nil
		}
		var refused *ch.Exception
		if errors.As(err, &refused) && !client.IsClosed() {
			p.give(client)
			return err
		}
		_ = client.Close() // it is of no use any more
		if refused != nil || !used || started || ctx.Err() != nil {
			return err
		}
	}
}

// take returns a connection, and whether it has been used before.
func (p *Columns) take(ctx context.Context) (*ch.Client, bool, error) {
	for {
		select {
		case client := <-p.idle:
			if client.IsClosed() {
				continue
			}
			return client, true, nil
		default:
		}
		break
	}
	var errs []error
	for _, address := range p.cfg.Addresses {
		o := p.options
		o.Address = address
		client, err := ch.Dial(ctx, o)
		if err == nil {
			return client, false, nil
		}
		errs = append(errs, fmt.Errorf("connecting to ClickHouse at %s: %w", address, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, false, errors.Join(errs...)
}

// give keeps a connection for the next query.
func (p *Columns) give(client *ch.Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		select {
		case p.idle <- client:
			return
		default:
		}
	}
	_ = client.Close() // nobody needs it
}

// Close closes the connections that nobody uses, and the others once they are
// not used any more.
func (p *Columns) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for {
		select {
		case client := <-p.idle:
			_ = client.Close() // nothing is under way
		default:
			return
		}
	}
}

// Text makes a parameter of the type String, or of any other type from its text
// form. The server reads it in two steps, as a quoted literal whose content is
// escaped text, so that no value can end the literal or be read as another.
func Text(name, value string) Parameter {
	return Parameter{Key: name, Value: "'" + quoted.Replace(escaped.Replace(value)) + "'"}
}

var (
	escaped = strings.NewReplacer("\\", `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\x00", `\0`, "\b", `\b`, "\f", `\f`)
	quoted  = strings.NewReplacer("\\", `\\`, "'", `\'`)
)
