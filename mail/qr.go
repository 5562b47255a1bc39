package mail

import (
	"bytes"
	"image"
	_ "image/gif"  // pictures that mails have
	_ "image/jpeg" // pictures that mails have
	_ "image/png"  // pictures that mails have

	"github.com/makiuchi-d/gozxing"
	multi "github.com/makiuchi-d/gozxing/multi/qrcode"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// picture looks for QR codes in a picture, and adds the links in them.
func (r *reader) picture(a *Attachment, content []byte) {
	config, _, err := image.DecodeConfig(bytes.NewReader(content))
	if err != nil {
		return
	}
	if config.Width < 21 || config.Height < 21 { // the smallest code has 21 modules a side
		return
	}
	if r.pictures++; r.pictures > MaxPictures {
		r.lose(LostInside, "the mail has more than %d pictures; the rest was not looked at for QR codes", MaxPictures)
		return
	}
	if config.Width > MaxPixels/config.Height {
		r.lose(LostInside, "a picture has more than %d million pixels and was not looked at for QR codes", MaxPixels>>20)
		a.Faults = append(a.Faults, "too large to be looked at for QR codes")
		return
	}
	img, _, err := image.Decode(bytes.NewReader(content))
	if err != nil {
		r.lose(LostInside, "a picture is broken and was not looked at for QR codes")
		a.Faults = append(a.Faults, "the picture is broken")
		return
	}
	texts, ok := codes(img)
	if !ok {
		r.lose(LostInside, "a picture is so full of marks like those of QR codes that it was not looked at for them")
		a.Faults = append(a.Faults, "too full of marks to be looked at for QR codes")
	}
	for _, text := range texts {
		r.link(text, "", InQR, false)
		r.findLinks(text, InQR)
	}
}

// The library tries every three of the marks that it takes for a code's corners: a picture made of such marks would cost it hours.
const (
	manyMarks    = 24  // more than that, and one code is looked for, not several
	tooManyMarks = 400 // more than that, and none is
)

// codes are the texts of the QR codes in a picture; false where it was not looked at. The library may panic on a picture made to make it.
func codes(img image.Image) (texts []string, ok bool) {
	defer func() {
		if recover() != nil {
			texts, ok = nil, true
		}
	}()
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		return nil, true
	}
	black, err := bitmap.GetBlackMatrix()
	if err != nil {
		return nil, true
	}
	switch n := marks(black); {
	case n > tooManyMarks:
		return nil, false
	case n > manyMarks:
		one, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
		if err != nil {
			return nil, true
		}
		return []string{one.GetText()}, true
	}
	found, err := multi.NewQRCodeMultiReader().DecodeMultiple(bitmap, nil)
	if err != nil {
		return nil, true
	}
	for _, f := range found {
		texts = append(texts, f.GetText())
	}
	return texts, true
}

// marks counts the places that look like a corner of a QR code along a row: dark, light, dark, light, dark as 1:1:3:1:1.
func marks(m *gozxing.BitMatrix) int {
	places := map[[2]int]bool{}
	for y := range m.GetHeight() {
		var runs [5]int
		dark := false
		for x := range m.GetWidth() + 1 {
			if now := x < m.GetWidth() && m.Get(x, y); now == dark && x < m.GetWidth() {
				runs[4]++
				continue
			} else {
				if dark && corner(runs) {
					places[[2]int{(x - runs[4] - runs[3] - runs[2]/2) / 8, y / 8}] = true
					if len(places) > 4*tooManyMarks {
						return len(places)
					}
				}
				copy(runs[:], runs[1:])
				runs[4], dark = 1, now
			}
		}
	}
	return len(places) / 4 // a corner of a code of common size spans several places
}

func corner(runs [5]int) bool {
	total := 0
	for _, n := range runs {
		if n == 0 {
			return false
		}
		total += n
	}
	if total < 7 {
		return false
	}
	unit := float64(total) / 7
	for i, n := range runs {
		want := unit
		if i == 2 {
			want = 3 * unit
		}
		if d := float64(n) - want; d > want/2 || d < -want/2 {
			return false
		}
	}
	return true
}
