package broker

// ServedVersions returns the oldest and newest version of every served request.
func ServedVersions() map[int16][2]int16 {
	versions := map[int16][2]int16{}
	for key, r := range served {
		versions[int16(key)] = [2]int16{r.min, r.max}
	}
	return versions
}
