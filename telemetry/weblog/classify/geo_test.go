package classify

import (
	"fmt"
	"os"
	"testing"

	"github.com/oschwald/maxminddb-golang/v2"
)

func TestPlaceOf(t *testing.T) {
	for _, test := range []struct {
		record map[string]any
		want   place
	}{
		{map[string]any{"country_code": "DE"}, place{"DE", "", 51, 10.3}},
		{map[string]any{"country_code": "DE", "city": "Köln", "latitude": 50.94, "longitude": float32(6.96)}, place{"DE", "Köln", 50.94, 6.96}},
		{map[string]any{
			"country": map[string]any{"iso_code": "FR"}, "city": map[string]any{"names": map[string]any{"en": "Paris", "fr": "Paris"}},
			"location": map[string]any{"latitude": 48.85, "longitude": 2.35},
		}, place{"FR", "Paris", 48.85, 2.35}},
		{map[string]any{"country": map[string]any{"iso_code": "FR"}, "location": map[string]any{"latitude": 1e9}}, place{"FR", "", 46.5, 2.5}},
		{map[string]any{"country": "FR", "city": 7}, place{}},
		{map[string]any{"country_code": "ZZ", "city": "Nowhere"}, place{}},
		{map[string]any{"country_code": "deu"}, place{}},
		{nil, place{}},
	} {
		if got := placeOf(test.record); got != test.want {
			t.Errorf("%v: %+v, want %+v", test.record, got, test.want)
		}
	}
}

// TestCentres compares the centres with the codes of the database.
func TestCentres(t *testing.T) {
	for code, c := range centres {
		if countryCode(code) == "" || c[0] < -90 || c[0] > 90 || c[1] < -180 || c[1] > 180 || c[0] == 0 && c[1] == 0 {
			t.Errorf("%s is at %v", code, c)
		}
	}
	path := "../../../" + countryFileInTree
	if _, err := os.Stat(path); err != nil {
		t.Skip("the database of countries is not there: run make geo")
	}
	db, err := maxminddb.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uintptr]bool{}
	for result := range db.Networks() {
		if seen[result.Offset()] {
			continue
		}
		seen[result.Offset()] = true
		var record map[string]any
		if err := result.Decode(&record); err != nil {
			t.Fatal(err)
		}
		code, _ := record["country_code"].(string)
		if _, ok := centres[code]; !ok && countryCode(code) != "" {
			t.Errorf("%s has no centre", code)
		}
	}
	if len(seen) < 200 {
		t.Errorf("the database has %d countries", len(seen))
	}
}

// TestCache forgets what was not asked for.
func TestCache(t *testing.T) {
	c := cache[int]{most: 10, mostBytes: 1000}
	always := 7
	c.put("always", &always)
	for i := range 1000 {
		c.put(fmt.Sprint(i), &i)
		if len(c.young) > 10 || len(c.old) > 10 {
			t.Fatalf("%d and %d entries", len(c.young), len(c.old))
		}
		if c.get("always") != &always {
			t.Fatalf("after %d others it is forgotten", i)
		}
	}
	if c.get("900") != nil || *c.get("999") != 999 {
		t.Error("it remembers the wrong ones")
	}
	long := string(make([]byte, 600))
	c.put(long, &always)
	c.put(long[1:], &always)
	if c.bytes > 1000 {
		t.Errorf("%d bytes of texts", c.bytes)
	}
}
