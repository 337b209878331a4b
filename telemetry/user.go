package telemetry

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// HashUser returns a text that stands for an address of a user, which is not stored
// itself: it tells users apart.
func HashUser(email string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.TrimSpace(email))))
	return hex.EncodeToString(sum[:8])
}
