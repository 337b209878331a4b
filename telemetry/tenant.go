package telemetry

import "fmt"

// DefaultTenant owns what nobody says the owner of.
const DefaultTenant = "default"

// MaxTenant is the greatest length of a tenant's name in bytes.
const MaxTenant = 64

// ValidTenant reports whether text can name a tenant: 1 to 64 letters, digits,
// dots, hyphens and underscores of ASCII. A name is part of query ids, where a
// slash ends it.
func ValidTenant(text string) bool {
	if len(text) == 0 || len(text) > MaxTenant {
		return false
	}
	for i := range len(text) {
		c := text[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// CheckTenant says what is wrong with a tenant's name.
func CheckTenant(name string) error {
	if !ValidTenant(name) {
		return fmt.Errorf("%q: want 1 to %d letters, digits, dots, hyphens and underscores", name, MaxTenant)
	}
	return nil
}
