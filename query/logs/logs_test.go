package logs_test

import "testing"

// TestLogs runs everything over one engine; every part has tenants of its own.
func TestLogs(t *testing.T) {
	f := newFixture(t)
	for name, part := range map[string]func(*testing.T, *fixture){
		"scripts": testScripts, "random": testRandom, "streams": testStreams, "grafana": testGrafana, "patterns": testPatterns, "tail": testTail, "hostile": testHostile,
		"injection": testInjection, "tenants": testTenants, "limits": testLimits, "documented": testDocumented,
	} {
		t.Run(name, func(t *testing.T) { part(t, f) })
	}
}
