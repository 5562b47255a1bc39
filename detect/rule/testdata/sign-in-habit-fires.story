# People and an application who sign in every day from home, and then from where they never did.
domain fabrikam.com
person ada "Ada Adams"
person ben "Ben Brown"
person cyd "Cyd Clark"
person dan "Dan Dunn"
person eva "Eva Ernst"
person fay "Fay Frank"
person gus "Gus Green"
mon 09:00 ada signs in from Leeds mfa=asked session=s-ada-mon
mon 09:01 ben signs in from Leeds mfa=asked session=s-ben-mon
mon 09:02 cyd signs in from Leeds mfa=asked session=s-cyd-mon
mon 09:03 dan signs in from Leeds mfa=asked session=s-dan-mon
mon 09:04 eva signs in from Leeds mfa=asked session=s-eva-mon
mon 09:05 fay signs in from Leeds mfa=asked session=s-fay-mon
mon 10:00 ada signs in from Leeds kind=non_interactive mfa=claim
mon 10:30 dan signs in from Leeds kind=non_interactive mfa=claim
mon 11:30 dan signs in from Leeds kind=non_interactive mfa=claim
mon 20:00 "Nightly Export" signs in from Leeds kind=service_principal credential=certificate
tue 09:00 ada signs in from Leeds mfa=asked session=s-ada-tue
tue 09:01 ben signs in from Leeds mfa=asked session=s-ben-tue
tue 09:02 cyd signs in from Leeds mfa=asked session=s-cyd-tue
tue 09:03 dan signs in from Leeds mfa=asked session=s-dan-tue
tue 09:04 eva signs in from Leeds mfa=asked session=s-eva-tue
tue 09:05 fay signs in from Leeds mfa=asked session=s-fay-tue
tue 10:00 ada signs in from Leeds kind=non_interactive mfa=claim
tue 10:30 dan signs in from Leeds kind=non_interactive mfa=claim
tue 11:30 dan signs in from Leeds kind=non_interactive mfa=claim
tue 20:00 "Nightly Export" signs in from Leeds kind=service_principal credential=certificate
wed 09:00 ada signs in from Leeds mfa=asked session=s-ada-wed
wed 09:01 ben signs in from Leeds mfa=asked session=s-ben-wed
wed 09:02 cyd signs in from Leeds mfa=asked session=s-cyd-wed
wed 09:03 dan signs in from Leeds mfa=asked session=s-dan-wed
wed 09:04 eva signs in from Leeds mfa=asked session=s-eva-wed
wed 09:05 fay signs in from Leeds mfa=asked session=s-fay-wed
wed 10:00 ada signs in from Leeds kind=non_interactive mfa=claim
wed 10:30 dan signs in from Leeds kind=non_interactive mfa=claim
wed 11:30 dan signs in from Leeds kind=non_interactive mfa=claim
wed 20:00 "Nightly Export" signs in from Leeds kind=service_principal credential=certificate
thu 09:00 ada signs in from Leeds mfa=asked session=s-ada-thu
thu 09:01 ben signs in from Leeds mfa=asked session=s-ben-thu
thu 09:02 cyd signs in from Leeds mfa=asked session=s-cyd-thu
thu 09:03 dan signs in from Leeds mfa=asked session=s-dan-thu
thu 09:04 eva signs in from Leeds mfa=asked session=s-eva-thu
thu 09:05 fay signs in from Leeds mfa=asked session=s-fay-thu
thu 10:00 ada signs in from Leeds kind=non_interactive mfa=claim
thu 10:30 dan signs in from Leeds kind=non_interactive mfa=claim
thu 11:30 dan signs in from Leeds kind=non_interactive mfa=claim
thu 20:00 "Nightly Export" signs in from Leeds kind=service_principal credential=certificate
fri 09:00 ada signs in from Leeds mfa=asked session=s-ada-fri
fri 09:01 ben signs in from Leeds mfa=asked session=s-ben-fri
fri 09:02 cyd signs in from Leeds mfa=asked session=s-cyd-fri
fri 09:03 dan signs in from Leeds mfa=asked session=s-dan-fri
fri 09:04 eva signs in from Leeds mfa=asked session=s-eva-fri
fri 09:05 fay signs in from Leeds mfa=asked session=s-fay-fri
fri 10:00 ada signs in from Leeds kind=non_interactive mfa=claim
fri 10:30 dan signs in from Leeds kind=non_interactive mfa=claim
fri 11:30 dan signs in from Leeds kind=non_interactive mfa=claim
fri 20:00 "Nightly Export" signs in from Leeds kind=service_principal credential=certificate
sat 09:00 ada signs in from Leeds
sat 09:40 ada signs in from Lagos session=s-lagos
sat 10:00 ben signs in from Bogota
sat 10:30 cyd signs in from Frankfurt
sat 11:00 dan signs in from Sydney requirement=singleFactorAuthentication mfa=single
sat 12:00 eva signs in from 203.0.113.9/GB asn=5607 protocol=deviceCode app "Microsoft Azure CLI"
sat 13:00 "Nightly Export" signs in from Tokyo kind=service_principal credential=certificate
sat 13:30 "Nightly Export" signs in from Leeds kind=service_principal credential=clientSecret
sat 14:00 fay signs in from 203.0.113.8/NL asn=60781 failing error=70008
sat 14:01 fay signs in from 203.0.113.8/NL asn=60781 failing error=70008
sat 14:02 fay signs in from 203.0.113.8/NL asn=60781 failing error=70008
sat 14:03 fay signs in from 203.0.113.8/NL asn=60781 failing error=70008
sat 14:04 fay signs in from 203.0.113.8/NL asn=60781 failing error=70008
sat 14:05 fay signs in from 203.0.113.8/NL asn=60781 failing error=70008
sat 14:06 fay signs in from 203.0.113.8/NL asn=60781 failing error=70008
sat 14:07 fay signs in from 203.0.113.8/NL asn=60781 failing error=70008
sat 14:08 fay signs in from 203.0.113.8/NL asn=60781 failing error=70008
sat 14:09 fay signs in from 203.0.113.8/NL asn=60781 failing error=70008
expect impossible-travel ada risk 65 says "km"
expect atypical-place ada says "no colleague"
expect atypical-place ben says "new after 5 days"
expect anonymous-network-sign-in cyd says "Hetzner"
expect atypical-place dan
expect single-factor-where-two-are-usual dan
expect device-code-sign-in eva
expect device-code-from-new-network eva risk 65
expect application-from-new-network "nightly export"
expect application-new-kind-of-credential "nightly export"
expect dead-tokens-tried fay
