package mail

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"runtime"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// held is how many bytes do makes the process take from the heap at most, about.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestHostile: mails made to cost time or memory cost a bounded amount, say what was not read, and what stands before is read.
func TestHostile(t *testing.T) {
	nested := func(n int) []byte {
		var b strings.Builder
		b.WriteString("Subject: deep\n")
		for i := range n {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
		}
		b.WriteString("\nthe end\n")
		return []byte(b.String())
	}
	bomb := zipped(t, "zeros", strings.Repeat("\x00", 136<<20))
	for _, c := range []struct {
		name  string
		raw   []byte
		says  string
		lost  Lost
		bytes uint64 // all that may be allocated on the way
	}{
		{"a header of 50 MB in one field", []byte("Subject: kept\nX-Long: " + strings.Repeat("x", 50<<20) + "\n\nbody"), "longer than 1024 KB", LostHeader, 16 << 20},
		{"a header of 50 MB in many fields", []byte("Subject: kept\n" + strings.Repeat("A: b\n", 10<<20) + "\nbody"), "longer than 1024 KB", LostHeader, 32 << 20},
		{"multiparts 1,000 deep", nested(1000), "40 deep", LostText, 16 << 20},
		{"mails 1,000 deep", []byte("Subject: deep\n" + strings.Repeat("Content-Type: message/rfc822\n\n", 1000) + "\nthe end"), "40 deep", LostText, 16 << 20},
		{"200,000 parts", []byte("Subject: many\nContent-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 200_000)), "more than 2000 parts", LostText, 64 << 20},
		{"a zip bomb", letter("Subject: bomb", `Content-Type: application/zip; name="a.zip"`, "Content-Transfer-Encoding: base64", "", b64(bomb)), "unpack to more than 128 MB", LostInside, 120 << 20},
		{"zips in zips", letter("Subject: zips", `Content-Type: application/zip; name="a.zip"`, "Content-Transfer-Encoding: base64", "", b64(zips(t, 60))), "40 deep", LostInside, 64 << 20},
		{"an archive of 4,000 files", letter("Subject: files", `Content-Type: application/zip; name="a.zip"`, "Content-Transfer-Encoding: base64", "", b64(many(t, 4_000))), "more than 1000 files", LostInside, 200 << 20},
		{"a picture of 2 billion pixels", letter("Subject: picture", "Content-Type: image/png", "Content-Transfer-Encoding: base64", "", b64(hugePNG())), "million pixels", LostInside, 8 << 20},
		{"60,000 links", []byte("Subject: links\n\n" + strings.Repeat("http://a.example/", 1) + links(60_000)), "more than 5000 links", LostLinks, 200 << 20},
		{"HTML 60,000 deep", []byte("Subject: html\nContent-Type: text/html\n\n" + strings.Repeat("<div style=display:none>", 60_000) + "x" + strings.Repeat("</b>", 60_000)), "", 0, 400 << 20},
		{"brackets", []byte("Subject: address\nFrom: " + strings.Repeat("(", 500_000) + "\nTo: " + strings.Repeat("a,", 200_000) + "\n\n"), "", 0, 200 << 20},
		{"encoded words", []byte("Subject: words " + strings.Repeat("=?utf-8?q?=", 90_000) + "\n\n"), "", 0, 64 << 20},
	} {
		var m *Message
		took := allocated(func() { m = Parse(c.raw) })
		if c.says != "" && !strings.Contains(strings.Join(m.Faults, "; "), c.says) {
			t.Errorf("%s: it says %q", c.name, m.Faults)
		}
		if m.Lost&c.lost != c.lost {
			t.Errorf("%s: lost %b, want %b in it", c.name, m.Lost, c.lost)
		}
		if m.Subject == "" {
			t.Errorf("%s: the subject was not read", c.name)
		}
		if took > c.bytes {
			t.Errorf("%s: %d MB were allocated for %d MB of mail, more than %d", c.name, took>>20, len(c.raw)>>20, c.bytes>>20)
		}
	}
}

func zips(t *testing.T, n int) string {
	inner := zipped(t, "x.txt", "https://deep.example/")
	for range n {
		inner = zipped(t, "a.zip", inner)
	}
	return inner
}

func many(t *testing.T, n int) string {
	files := make([]string, 0, 2*n)
	for i := range n {
		files = append(files, fmt.Sprint(i), "")
	}
	return zipped(t, files...)
}

func links(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " http://h%d.example/\n", i)
	}
	return b.String()
}

// hugePNG is the head of a picture that says it is 50,000 by 50,000.
func hugePNG() string {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 30, 30))); err != nil {
		panic(err)
	}
	out := b.Bytes()
	copy(out[16:], []byte{0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50})
	// the checksum of the head
	sum := crc(out[12:29])
	copy(out[29:], []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	return string(out)
}

func crc(b []byte) uint32 {
	sum := ^uint32(0)
	for _, c := range b {
		sum ^= uint32(c)
		for range 8 {
			if sum&1 != 0 {
				sum = sum>>1 ^ 0xedb88320
			} else {
				sum >>= 1
			}
		}
	}
	return ^sum
}

// TestQR: the links of the QR codes in a picture are the mail's, two in one picture too.
func TestQR(t *testing.T) {
	page := image.NewGray(image.Rect(0, 0, 700, 340))
	for i := range page.Pix {
		page.Pix[i] = 255
	}
	for n, text := range []string{"https://qr.evil.example/one", "https://two.evil.example/"} {
		code, err := qrcode.NewQRCodeWriter().Encode(text, gozxing.BarcodeFormat_QR_CODE, 300, 300, nil)
		if err != nil {
			t.Fatal(err)
		}
		for x := range 300 {
			for y := range 300 {
				if code.Get(x, y) {
					page.SetGray(20+n*350+x, 20+y, color.Gray{})
				}
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, page); err != nil {
		t.Fatal(err)
	}
	m := Parse(letter("Subject: scan", "Content-Type: image/png; name=code.png", "Content-Transfer-Encoding: base64", "", b64(b.String())))
	found := map[string]bool{}
	for _, l := range m.Links {
		found[l.Where+" "+l.URL] = true
	}
	if !found["qr https://qr.evil.example/one"] || !found["qr https://two.evil.example/"] {
		t.Errorf("links %+v, faults %q", m.Links, m.Faults)
	}
}

// TestUnwrap takes the wrappings of mail filters off.
func TestUnwrap(t *testing.T) {
	for wrapped, want := range map[string]string{
		"https://nam02.safelinks.protection.outlook.com/?url=https%3A%2F%2Fevil.example%2Fa%3Fb%3Dc&data=05%7C01":                             "https://evil.example/a?b=c",
		"https://urldefense.proofpoint.com/v2/url?u=http-3A__evil.example_a-2Db&d=DwMF&c=x":                                                   "http://evil.example/a-b",
		"https://urldefense.com/v3/__https://evil.example/a*b**Bc__;w6TDtiDDvA!!x!y$":                                                         "https://evil.example/aäbö üc",
		"https://urldefense.com/v3/__https:/evil.example/__;!!x$":                                                                             "https://evil.example/",
		"https://linkprotect.cudasvc.com/url?a=https%3a%2f%2fevil.example%2f&c=E,1":                                                           "https://evil.example/",
		"https://www.google.com/url?q=https://evil.example/&sa=D":                                                                             "https://evil.example/",
		"https://nam02.safelinks.protection.outlook.com/?url=https%3A%2F%2Furldefense.proofpoint.com%2Fv2%2Furl%3Fu%3Dhttp-3A__evil.example_": "http://evil.example/",
		"https://plain.example/?url=https://x.example":                                                                                        "https://plain.example/?url=https://x.example",
	} {
		if got := Unwrap(wrapped); got != want {
			t.Errorf("%s: %s, want %s", wrapped, got, want)
		}
	}
	for link, want := range map[string]string{
		"https://user:pass@login.evil.co.uk:8443/x": "evil.co.uk", `https:\\evil.example\a`: "evil.example", "http://192.0.2.1/a": "192.0.2.1", "http://[2001:db8::1]/": "2001:db8::1",
		"https://аpple.com/": "xn--pple-43d.com", "www.contoso.com/a": "contoso.com", "hxxps://evil[.]example/": "evil.example", "mailto:a@b": "", "https://microsoft.com@evil.example/": "evil.example",
	} {
		if got := NewLink(link, "", InText).Domain; got != want {
			t.Errorf("%s: domain %q, want %q", link, got, want)
		}
	}
}
