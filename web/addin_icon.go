package web

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"sync"
)

// iconSizes are the sizes in which Outlook asks for an add-in's picture.
var iconSizes = map[int]bool{16: true, 25: true, 32: true, 48: true, 64: true, 80: true, 128: true}

var bells sync.Map // size → PNG

// bellPNG is the bell of bell.svg as a picture of n by n points: Outlook takes no SVG.
func bellPNG(n int) []byte {
	if b, ok := bells.Load(n); ok {
		return b.([]byte)
	}
	const fine = 4 // samples a side of each point
	img := image.NewNRGBA(image.Rect(0, 0, n, n))
	for y := range n {
		for x := range n {
			hit := 0
			for i := range fine * fine {
				if inBell((float64(x)+(float64(i%fine)+.5)/fine)*24/float64(n), (float64(y)+(float64(i/fine)+.5)/fine)*24/float64(n)) {
					hit++
				}
			}
			img.SetNRGBA(x, y, color.NRGBA{0xa8, 0x66, 0x1a, uint8(255 * hit / (fine * fine))})
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		panic("web: the bell is no picture: " + err.Error()) // into memory, of a size that is one
	}
	bells.Store(n, out.Bytes())
	return out.Bytes()
}

// inBell says whether a point of the square of 24 lies in the bell: the body, the knob above it, the clapper below.
func inBell(x, y float64) bool {
	// turned back by 14 degrees about the knob, as the drawing is
	sin, cos := math.Sincos(14 * math.Pi / 180)
	dx, dy := x-12, y-4
	x, y = 12+dx*cos-dy*sin, 4+dx*sin+dy*cos
	switch {
	case y >= 3.6 && y <= 17:
		half := 6.1 - 2.2*math.Pow(math.Max(0, 9.9-y)/6.3, 2.4) - 1.8*math.Pow(math.Max(0, 5.4-y)/1.8, 2)
		if y > 9.9 {
			half = 6.1 + 2.6*math.Pow((y-9.9)/7.1, 2.2)
		}
		return math.Abs(x-12) <= half
	case y >= 18.6:
		return math.Hypot(x-12, y-18.6) <= 2.4
	}
	return math.Hypot(x-12, y-2.9) <= 2
}
