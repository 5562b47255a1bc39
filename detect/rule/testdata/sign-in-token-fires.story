# Stolen sessions, kits, guessed codes and prompts that nobody asked for; and what is registered about them.
domain fabrikam.com
person ada
person ben
person cyd
person dan
person eva
person fay

mon 09:00 ada signs in from Leeds session=s-ada app "OfficeHome" app_id=4765445b-32c6-49b0-83e6-1d93765276ca
mon 15:00 ada signs in from Lagos session=s-ada kind=non_interactive mfa=claim
mon 16:00 ben signs in from 203.0.113.7/NL agent "axios/1.7.2" app "OfficeHome" app_id=4765445b-32c6-49b0-83e6-1d93765276ca
mon 16:20 ben audits "User registered security info" target ben workload AzureActiveDirectory
mon 17:00 cyd signs in from 203.0.113.7/NL failing error=500121 mfa=refused reason="MFA denied; invalid verification code"
mon 17:01 cyd signs in from 203.0.113.7/NL failing error=500121 mfa=refused reason="MFA denied; invalid verification code"
mon 17:02 cyd signs in from 203.0.113.7/NL failing error=500121 mfa=refused reason="MFA denied; invalid verification code"
mon 17:03 cyd signs in from 203.0.113.7/NL failing error=500121 mfa=refused reason="MFA denied; invalid verification code"
mon 17:04 cyd signs in from 203.0.113.7/NL failing error=500121 mfa=refused reason="MFA denied; invalid verification code"
mon 17:05 cyd signs in from 203.0.113.7/NL failing error=500121 mfa=refused reason="MFA denied; invalid verification code"
mon 17:06 cyd signs in from 203.0.113.7/NL failing error=500121 mfa=refused reason="MFA denied; invalid verification code"
mon 17:07 cyd signs in from 203.0.113.7/NL failing error=500121 mfa=refused reason="MFA denied; invalid verification code"
mon 17:08 cyd signs in from 203.0.113.7/NL failing error=500121 mfa=refused reason="MFA denied; invalid verification code"
mon 17:09 cyd signs in from 203.0.113.7/NL failing error=500121 mfa=refused reason="MFA denied; invalid verification code"
mon 18:00 dan signs in from 203.0.113.7/NL risk=high risk_state=atRisk
mon 18:30 dan audits "Register device" target dan workload AzureActiveDirectory
tue 09:00 eva audits "User registered security info" target eva workload AzureActiveDirectory
tue 09:10 eva signs in from 203.0.113.7/NL protocol=deviceCode app_id=29d9ed98-a469-4536-ade2-f981bc1d605e app "Microsoft Authentication Broker"
expect session-in-two-countries ada risk 65 says "6 hours later"
expect phishing-kit-sign-in ben risk 65 says "axios"
expect method-added-after-suspicious-sign-in ben risk 65 says "20 minutes after"
expect second-factor-guessed cyd risk 65 says "10 wrong"
expect prompt-bombing cyd says "somebody knows the password"
expect risky-sign-in-let-through dan
expect device-registered-after-suspicious-sign-in dan risk 65
expect device-code-through-broker eva
expect method-added-after-suspicious-sign-in eva says "10 minutes before"
