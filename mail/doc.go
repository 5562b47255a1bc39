// Package mail reads mail: MIME, links, attachments, and HTML that is safe to show. It is pure: bytes in, a [Message] out.
//
// [Parse] reads what a stranger sent as far as it can be read. It never fails: what is broken is said in Message.Faults, in
// words, and what could not be read because of it in Message.Lost, so that whoever looks for something in vain knows whether
// it was not there or not seen. Time and memory are bounded by the limits below, whatever the mail is made of.
//
// The forms are those of RFC 5322 (messages), RFC 2045 to 2047 (MIME, encoded words), RFC 2231 (parameters) and RFC 2183
// (dispositions), and what real programs send in their stead.
package mail

// The limits of what is read of one mail. What lies beyond is named in Message.Faults.
const (
	MaxSize       = 160 << 20 // bytes of a mail; Exchange takes 150 MB at most
	MaxHeader     = 1 << 20   // bytes of the header of a mail or part
	MaxFields     = 5000      // fields in a header
	MaxAddresses  = 20_000    // addresses in a field
	MaxDepth      = 40        // parts within parts, mails within mails, archives within archives
	MaxParts      = 2000      // parts of a mail, those of mails inside it too
	MaxText       = 8 << 20   // bytes of text, and of HTML, of a mail
	MaxLinks      = 5000      // links of a mail
	MaxInside     = 1000      // files in archives
	MaxUnpacked   = 128 << 20 // bytes unpacked from archives, all in all
	MaxPictures   = 16        // pictures looked at for QR codes
	MaxPixels     = 16 << 20  // pixels of such a picture
	MaxSafeHTML   = 2 << 20   // bytes of HTML that are made safe to show
	MaxSafeInline = 1 << 20   // bytes of pictures that are shown in it, all in all
)
