package story

import "slices"

// Place is a town from which people sign in, with the network that its addresses are of. The addresses are of a range that is
// kept for tests (RFC 2544).
type Place struct {
	City, Country       string
	Latitude, Longitude float64
	ASN                 string // autonomous system number
	IP                  string // where no address is told
}

// Places are the towns that a story can name: the offices of the simulated tenant first.
var Places = []Place{
	{"Rotterdam", "NL", 51.92, 4.48, "1136", "198.18.1.7"},
	{"Chicago", "US", 41.88, -87.63, "7922", "198.18.2.7"},
	{"Hamburg", "DE", 53.55, 9.99, "3320", "198.18.3.7"},
	{"Leeds", "GB", 53.80, -1.55, "2856", "198.18.4.7"},
	{"Lyon", "FR", 45.76, 4.84, "3215", "198.18.5.7"},
	{"Singapore", "SG", 1.35, 103.82, "9506", "198.18.6.7"},
	{"Valencia", "ES", 39.47, -0.38, "3352", "198.18.7.7"},
	{"Pune", "IN", 18.52, 73.86, "9829", "198.18.8.7"},
	{"Lagos", "NG", 6.52, 3.38, "29465", "198.18.20.7"},
	{"Moscow", "RU", 55.76, 37.62, "12389", "198.18.21.7"},
	{"Sydney", "AU", -33.87, 151.21, "1221", "198.18.22.7"},
	{"Tokyo", "JP", 35.68, 139.69, "2516", "198.18.23.7"},
	{"Bogota", "CO", 4.71, -74.07, "10620", "198.18.24.7"},
	{"Amsterdam", "NL", 52.37, 4.90, "9009", "198.18.25.7"},
	{"Frankfurt", "DE", 50.11, 8.68, "24940", "198.18.26.7"},
	{"Ashburn", "US", 39.04, -77.49, "14618", "198.18.27.7"},
	{"Dublin", "IE", 53.35, -6.26, "8075", "198.18.28.7"},
}

// PlaceOf is the place of a name; nil where there is none.
func PlaceOf(city string) *Place {
	if i := slices.IndexFunc(Places, func(p Place) bool { return p.City == city }); i >= 0 {
		return &Places[i]
	}
	return nil
}

func placeNames() []string {
	var out []string
	for _, p := range Places {
		out = append(out, p.City)
	}
	return out
}
