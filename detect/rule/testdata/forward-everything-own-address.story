# A person sends everything to their own mailbox elsewhere: still outside, judged lower.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "To my phone" forward to amy.adams@gmail.com
expect forward-everything amy risk 70
