package clickhouse

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// shared is what the columns of all tables need to know of the block that is
// being written. It is made once per block and reused.
type shared struct {
	batch     *telemetry.Batch
	retention *Retention
	resources []resource
	scopes    []scope  // by index of the batch's scopes
	metrics   []metric // by index of the batch's metrics

	words   dictionary
	scratch []byte
	// text holds the documents.
	text []byte
	// ranked are the resources by tenant and service, then the first metric of
	// each tenant and name.
	ranked []uint32
	// names are the metrics of the block by hash of tenant and name: the index
	// in ranked. byName are those indices, sorted.
	names  map[uint64]uint32
	byName []uint32
}

// scope is what rows of a scope have in common.
type scope struct {
	document string
	hash     uint64 // of name, version and attributes, as fingerprints need it
}

// metric is what the points of a metric have in common.
type metric struct {
	rank   uint32 // by tenant and name
	name   uint64 // hash of tenant and name
	prefix uint64 // of the fingerprint, without the point's attributes
	near   uint64 // the bits of the fingerprint that the resource determines
	meta   uint64 // hash of what series says of the metric beside its identity
}

// resource is what rows of a resource have in common.
type resource struct {
	tenant, service, document string
	host                      string // host.name
	// tenantRank and serviceRank order resources as tables do.
	tenantRank, serviceRank uint32
	retentionDays           uint16
	hash                    uint64 // of the attributes, as fingerprints need it
}

// prepare reads what the block's resources and scopes have to say.
func (s *shared) prepare(b *telemetry.Batch) {
	s.batch = b
	s.text = s.text[:0]
	s.resources = s.resources[:0]
	for i := range b.Resources {
		r := &b.Resources[i]
		tenant := b.Records[r.Record].Tenant
		s.resources = append(s.resources, resource{
			tenant: tenant, service: r.Service, document: s.resourceDocument(r), host: telemetry.TextOf(b.AttrsOf(r.Attrs), "host.name"),
			retentionDays: s.retention.days(tenant, b.Signal),
		})
	}
	s.rankResources()
	s.scopes = s.scopes[:0]
	for i := range b.Scopes {
		s.scopes = append(s.scopes, scope{document: s.scopeDocument(&b.Scopes[i])})
	}
	s.prepareMetrics()
}

// number fills s.ranked with 0 to n-1.
func (s *shared) number(n int) {
	s.ranked = s.ranked[:0]
	for i := range n {
		s.ranked = append(s.ranked, uint32(i))
	}
}

func (s *shared) rankResources() {
	s.number(len(s.resources))
	slices.SortFunc(s.ranked, func(a, b uint32) int {
		x, y := &s.resources[a], &s.resources[b]
		if x.tenant != y.tenant {
			return cmp.Compare(x.tenant, y.tenant)
		}
		return cmp.Compare(x.service, y.service)
	})
	var tenants, services uint32
	for n, i := range s.ranked {
		r := &s.resources[i]
		if n > 0 {
			before := &s.resources[s.ranked[n-1]]
			if r.tenant != before.tenant {
				tenants, services = tenants+1, 0
			} else if r.service != before.service {
				services++
			}
		}
		r.tenantRank, r.serviceRank = tenants, services
	}
}

// eventPrefix packs tenant, bucket, service and a class of up to 7 for a sortKey.
func (s *shared) eventPrefix(resource uint32, time int64, class uint8) uint64 {
	r := &s.resources[resource]
	return uint64(min(r.tenantRank, 1<<16-1))<<47 | uint64(time/bucketWidth)<<23 |
		uint64(min(r.serviceRank, 1<<20-1))<<3 | uint64(class)
}

// resourceDocument renders a resource for the column of that name.
func (s *shared) resourceDocument(r *telemetry.Resource) string {
	return s.document(func(d *document) {
		d.attributes(s.batch.AttrsOf(r.Attrs))
		d.text("schema_url", r.SchemaURL)
		d.number("dropped_attributes_count", r.DroppedAttrs)
	})
}

// scopeDocument renders a scope for the column of that name; an empty scope is
// the empty text.
func (s *shared) scopeDocument(sc *telemetry.Scope) string {
	if sc.Name == "" && sc.Version == "" && sc.SchemaURL == "" && sc.Attrs.Len() == 0 && sc.DroppedAttrs == 0 {
		return ""
	}
	return s.document(func(d *document) {
		d.text("name", sc.Name)
		d.text("version", sc.Version)
		d.attributes(s.batch.AttrsOf(sc.Attrs))
		d.text("schema_url", sc.SchemaURL)
		d.number("dropped_attributes_count", sc.DroppedAttrs)
	})
}

// document renders a JSON object into s.text and returns a view of it, which is
// valid until the next block.
func (s *shared) document(fill func(*document)) string {
	start := len(s.text)
	d := document{out: append(s.text, '{')}
	fill(&d)
	s.text = append(d.out, '}')
	return view(s.text[start:])
}

// document is a JSON object that is being written; fields with zero values are
// left out.
type document struct {
	out    []byte
	fields int
}

func (d *document) key(name string) {
	if d.fields++; d.fields > 1 {
		d.out = append(d.out, ',')
	}
	d.out = append(d.out, '"')
	d.out = append(d.out, name...)
	d.out = append(d.out, '"', ':')
}

func (d *document) text(name, value string) {
	if value == "" {
		return
	}
	d.key(name)
	v := telemetry.StringValue(value)
	d.out = otlp.AppendJSON(d.out, &v)
}

func (d *document) number(name string, value uint32) {
	if value == 0 {
		return
	}
	d.key(name)
	d.out = strconv.AppendUint(d.out, uint64(value), 10)
}

func (d *document) attributes(attrs []telemetry.Attr) {
	if len(attrs) == 0 {
		return
	}
	d.key("attributes")
	d.out = append(d.out, '{')
	for i := range attrs {
		if i > 0 {
			d.out = append(d.out, ',')
		}
		key := telemetry.StringValue(attrs[i].Key)
		d.out = otlp.AppendJSON(d.out, &key)
		d.out = append(d.out, ':')
		d.out = otlp.AppendJSON(d.out, &attrs[i].Value)
	}
	d.out = append(d.out, '}')
}
