# Ordinary days: the office, the telephone, a journey to another office where colleagues are, machinery of Microsoft's, a relay, and a newcomer anywhere.
domain fabrikam.com
person ada
person ben
person cyd
person dan
person eva

mon 09:00 ada signs in from Leeds mfa=asked session=s-ada-mon
mon 09:01 ben signs in from Leeds mfa=asked session=s-ben-mon
mon 09:02 cyd signs in from Leeds mfa=asked session=s-cyd-mon
mon 09:03 dan signs in from Leeds mfa=asked session=s-dan-mon
mon 09:30 ada signs in from Leeds mfa=claim kind=non_interactive session=s-ada-mon
mon 09:31 ada signs in from 198.18.28.9/Dublin mfa=claim kind=non_interactive session=s-ada-mon
mon 20:00 "Nightly Export" signs in from Leeds kind=service_principal credential=certificate
tue 09:00 ada signs in from Leeds mfa=asked session=s-ada-tue
tue 09:01 ben signs in from Leeds mfa=asked session=s-ben-tue
tue 09:02 cyd signs in from Leeds mfa=asked session=s-cyd-tue
tue 09:03 dan signs in from Leeds mfa=asked session=s-dan-tue
tue 09:30 ada signs in from Leeds mfa=claim kind=non_interactive session=s-ada-tue
tue 09:31 ada signs in from 198.18.28.9/Dublin mfa=claim kind=non_interactive session=s-ada-tue
tue 20:00 "Nightly Export" signs in from Leeds kind=service_principal credential=certificate
wed 09:00 ada signs in from Leeds mfa=asked session=s-ada-wed
wed 09:01 ben signs in from Leeds mfa=asked session=s-ben-wed
wed 09:02 cyd signs in from Leeds mfa=asked session=s-cyd-wed
wed 09:03 dan signs in from Leeds mfa=asked session=s-dan-wed
wed 09:30 ada signs in from Leeds mfa=claim kind=non_interactive session=s-ada-wed
wed 09:31 ada signs in from 198.18.28.9/Dublin mfa=claim kind=non_interactive session=s-ada-wed
wed 20:00 "Nightly Export" signs in from Leeds kind=service_principal credential=certificate
thu 09:00 ada signs in from Leeds mfa=asked session=s-ada-thu
thu 09:01 ben signs in from Leeds mfa=asked session=s-ben-thu
thu 09:02 cyd signs in from Leeds mfa=asked session=s-cyd-thu
thu 09:03 dan signs in from Leeds mfa=asked session=s-dan-thu
thu 09:30 ada signs in from Leeds mfa=claim kind=non_interactive session=s-ada-thu
thu 09:31 ada signs in from 198.18.28.9/Dublin mfa=claim kind=non_interactive session=s-ada-thu
thu 20:00 "Nightly Export" signs in from Leeds kind=service_principal credential=certificate
fri 09:00 ada signs in from Leeds mfa=asked session=s-ada-fri
fri 09:01 ben signs in from Leeds mfa=asked session=s-ben-fri
fri 09:02 cyd signs in from Leeds mfa=asked session=s-cyd-fri
fri 09:03 dan signs in from Leeds mfa=asked session=s-dan-fri
fri 09:30 ada signs in from Leeds mfa=claim kind=non_interactive session=s-ada-fri
fri 09:31 ada signs in from 198.18.28.9/Dublin mfa=claim kind=non_interactive session=s-ada-fri
fri 12:00 ben signs in from 203.0.113.70/US asn=62044
fri 12:30 ben signs in from Leeds
fri 20:00 "Nightly Export" signs in from Leeds kind=service_principal credential=certificate
sat 08:00 eva signs in from Lagos
sat 09:00 cyd signs in from Leeds failing
sat 09:01 cyd signs in from Lagos failing error=50126
sat 09:02 dan signs in from 203.0.113.4 failing error=70008
sat 18:00 eva signs in from Lagos
sat 20:00 "Nightly Export" signs in from Leeds kind=service_principal credential=certificate
sat 21:00 cyd signs in from Amsterdam failing error=53003
sat 22:00 dan signs in from Leeds mfa=single requirement=singleFactorAuthentication
silent
silent impossible-travel
silent atypical-place
silent anonymous-network-sign-in
silent single-factor-where-two-are-usual
silent device-code-from-new-network
silent application-from-new-network
silent application-new-kind-of-credential
silent dead-tokens-tried
