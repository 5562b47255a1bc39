package mail

import (
	"bytes"
	"image"
	_ "image/gif"  // pictures that mails have
	_ "image/jpeg" // pictures that mails have
	_ "image/png"  // pictures that mails have

	"github.com/makiuchi-d/gozxing"
	multi "github.com/makiuchi-d/gozxing/multi/qrcode"
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
	for _, text := range codes(img) {
		r.link(text, "", InQR, false)
		r.findLinks(text, InQR)
	}
}

// codes are the texts of the QR codes in a picture. The library may panic on a picture made to make it.
func codes(img image.Image) (texts []string) {
	defer func() {
		if recover() != nil {
			texts = nil
		}
	}()
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		return nil
	}
	found, err := multi.NewQRCodeMultiReader().DecodeMultiple(bitmap, nil)
	if err != nil {
		return nil
	}
	for _, f := range found {
		texts = append(texts, f.GetText())
	}
	return texts
}
