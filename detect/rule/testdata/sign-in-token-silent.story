# The same from where it is usual: a session at home and on the way, a browser, a mistyped code, a method registered on a quiet day.
domain fabrikam.com
person ada
person ben
person cyd

mon 09:00 ada signs in from Leeds session=s-ada
mon 12:00 ada signs in from 203.0.113.7/GB asn=20712 session=s-ada
mon 15:00 ada signs in from Leeds session=s-ada kind=non_interactive mfa=claim
mon 15:01 ada signs in from 198.18.28.9/Dublin session=s-ada kind=non_interactive mfa=claim
mon 16:00 ben signs in from Leeds agent "Mozilla/5.0 (Windows NT 10.0) Chrome/140.0" app_id=4765445b-32c6-49b0-83e6-1d93765276ca
mon 16:01 "Build" signs in from Leeds agent "python-requests/2.32" kind=service_principal
mon 16:02 ben signs in from Leeds agent "python-requests/2.32" app "Our own" app_id=11111111-2222-4333-8444-555555555555
mon 16:20 ben audits "User registered security info" target ben workload AzureActiveDirectory
mon 16:30 ben audits "Register device" target ben workload AzureActiveDirectory
mon 17:00 cyd signs in from Leeds failing error=500121 mfa=refused reason="MFA denied; invalid verification code"
mon 17:01 cyd signs in from Leeds
silent
silent phishing-kit-sign-in
silent second-factor-guessed
silent session-in-two-countries
silent method-added-after-suspicious-sign-in
silent device-registered-after-suspicious-sign-in
