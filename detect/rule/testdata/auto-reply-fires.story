# Whoever writes to amy is sent to somebody who looks like her.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy sets automatic reply "I have moved. Please write to amy@fabrikarn.com from now on."
mon 09:00 bob sets automatic reply "Away. Urgent: bob.brown@gmail.com or https://bit.ly/3xYz"
expect auto-reply-foreign-address amy risk 60 says "amy@fabrikarn.com"
expect auto-reply-foreign-address bob risk 30
